/** Answers the questions to a service: verdicts on the state of the host, and behind a user's own socket also the steps of an enrolment. */
import { appendSummaries } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import { defaultConfig, isMember, thisHost, type Config } from '../system/config.ts';
import { sayError } from '../terminal/printer.ts';
import { MAX_TIMEOUT_MS } from '../system/settings.ts';
import { realUser, userByUid } from '../system/users.ts';
import { areStored, rulesAt } from '../login/ruling.ts';
import { accountContexts } from '../login/account.ts';
import { localVerifier, withKept } from '../login/login.ts';
import type { Login, Terms } from '../login/terms.ts';
import { reasonOf } from '../login/record.ts';
import { recordRefusal } from '../login/open.ts';
import { factsOfFiles, sourcesIn } from '../enrolment/read-facts.ts';
import { withCredentials } from '../state/credentials.ts';
import { uptimeMs } from '../store/clock.ts';
import type { Facts } from '../wire/facts.ts';
import { keptFiles } from '../login/sealed-files.ts';
import { openableWithTokens } from '../login/opening.ts';
import type { SelfEnrolment } from '../enrolment/self/self-enrolment.ts';
import { withState, type State } from '../state/state.ts';
import { statePlace, type StatePlace } from '../state/place.ts';
import { NOTHING_KNOWN, type Circumstances, type Outcome } from '../wire/verifier.ts';
import { isEnrolQuestion, parseEnrolQuestion, type EnrolQuestion } from '../wire/enrolment.ts';
import { printEnrolAnswer } from '../wire/enrolment.ts';
import { isGreeting, isOtherGreeting, printGreeting } from '../wire/fleet-judges.ts';
import { isPing, printPong, type Health } from '../wire/ping.ts';
import {
  foundIn,
  MAX_LINE,
  parseQuestion,
  parseRefusal,
  printAnswer,
  type AskedAccount,
  type AskedOrigin,
  type Question,
  type SentFile,
  type ToldRefusal,
} from '../wire/question.ts';
import type { Reason } from '../verdict/reasons.ts';
import { forwarded, leaveFleetJudges, memberHealth } from './forward.ts';
import { MEMBERS_HINT, membersAt, type Members } from './members.ts';
import type { Reply, Answering, Request } from './serve-connection.ts';
import { healthOf, sayFault, sayOtherRelease } from './serve-health.ts';
import { ANSWER_DEADLINE_MS } from '../wire/remote.ts';
import { addLast, networkOf, type Asker } from './turns.ts';

export interface ServeOptions {
  readonly configuration: () => Config;
  /** The owner of the socket, by uid; `judge`: root's socket, where the PAM door asks about every user; `fleet`: the port for the members of a fleet. */
  readonly whose: number | 'judge' | 'fleet';
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => number;
}

/** What a service decides with: the present configuration and state. */
interface Means {
  readonly config: Config;
  readonly place: StatePlace;
  readonly now: () => number;
}

/** The same with the account that it decides for. */
interface Service extends Means {
  readonly account: AskedAccount;
}

/** A person may have to look for the phone, or scan a QR code. */
const PATIENCE_MS = 10 * 60_000;

/**
 * The answers of a service, about the user of its socket, or at root's socket about the account that root names.
 * Configuration and account are read for each question, so that root's changes count at once. A fault of the host is answered with
 * refusals: if the service exited, systemd would start it again for ever.
 */
export function answeringFor(options: ServeOptions, members = membersFor(options)): Answering {
  if (options.whose === 'fleet') return answeringForFleet(options, members);
  return options.whose === 'judge' ? answeringForAll(options) : answeringForOne(options, options.whose);
}

function answeringForOne(options: ServeOptions, uid: number): Answering {
  const serviceOf = (): Service => ({ ...meansOf(options), account: { user: userByUid(uid).name, uid } });
  const refusing = refusingAll(options);
  return {
    understand: (line) => {
      // The owner of the socket may ask. Only the journal gets the detail.
      if (isPing(line)) return pinged(async () => ({ ...(await healthHere(serviceOf, arrival(options))), detail: '' }));
      if (isEnrolQuestion(line)) {
        const question = parseEnrolQuestion(line);
        const answer = refusing(
          () => ({ user: nameOf(uid), uid, ...ENROLLING }),
          serviceOf,
          async (service, enrolment) => ({
            line: await answerEnrolment(question, service, enrolment),
          }),
        );
        return { account: '', answer };
      }
      const asked = parseRefusal(line) ?? parseQuestion(line);
      const { account, origin } = asked;
      if (account !== undefined || origin.door === 'pam')
        throw new NotpError('failed', "a user's socket is only for questions about that user");
      if (!('ask' in asked) && !OF_GATE.includes(asked.reason)) throw new NotpError('failed', 'a door cannot refuse for this reason');
      const came = arrival(options);
      const answer = refusing(
        () => ({ user: nameOf(uid), uid, ...origin }),
        serviceOf,
        (service) => judgeOrRecord(asked, service, came),
      );
      return { account: '', ...askerOf(asked), answer };
    },
    maxLine: MAX_LINE,
    firstMs: PATIENCE_MS,
    patienceMs: PATIENCE_MS,
    leave: leaving(options, () => [nameOf(uid)]),
  };
}

/** The reasons with which the gate refuses before it asks. */
const OF_GATE: readonly Reason[] = ['not_permitted', 'bad_configuration'];

function answeringForAll(options: ServeOptions): Answering {
  const names = lastNames();
  const refusing = refusingAll(options);
  return {
    understand: (line) => {
      if (isPing(line)) return pinged(() => healthHere(() => meansOf(options), arrival(options)));
      const asked = parseRefusal(line) ?? parseQuestion(line);
      const { account, origin } = asked;
      if (account === undefined || origin.door !== 'pam') throw new NotpError('failed', "root's socket is only for the PAM door");
      if (account.uid !== undefined) names.add(account.user);
      const came = arrival(options);
      const answer = refusing(
        () => ({ ...account, ...origin }),
        () => meansOf(options),
        (means) => judgeOrRecord(asked, { ...means, account }, came),
      );
      // Unknown names share one turn.
      return { account: account.uid === undefined ? '' : account.user, ...askerOf(asked), answer };
    },
    // The door reads the user's files between connecting and asking, and these may lie on a slow file server.
    maxLine: MAX_LINE,
    firstMs: ANSWER_DEADLINE_MS,
    // A prompt of --prompt-tty holds its connection as long as gate.timeout says, and only root's processes can hold one.
    patienceMs: MAX_TIMEOUT_MS + ANSWER_DEADLINE_MS,
    leave: leaving(options, names.all),
  };
}

/** What a service that leaves sums up. The refusals of further names wait for the next service, or the next login. */
const MAX_NAMES = 4_096;

/** The names that were asked about last. */
function lastNames(): { add: (name: string) => void; all: () => readonly string[] } {
  const names = new Set<string>();
  return {
    add: (name) => {
      addLast(names, name, MAX_NAMES);
    },
    all: () => [...names],
  };
}

/** A question without sealed files: what a member could send besides is parsed before its turn comes. */
const MAX_MEMBER_LINE = 32 * 1024;

/** The member then asks the next judge. */
const END: Reply = { line: '', isEnd: true };

/** A person at a member may have to look for the phone. The connections of members are kept for the next question. */
const KEPT_MS = 30 * 60_000;

/**
 * What a member says of users, sources and keys is data. Which member says it comes from its certificate alone. It has no question about an
 * enrolment, and its sealed files count for nothing.
 */
function answeringForFleet(options: ServeOptions, members: Members): Answering {
  const names = lastNames();
  return {
    understand: (line, member) => {
      if (member === undefined) throw new NotpError('failed', 'only a member can ask here');
      const { host } = member;
      if (isGreeting(line)) {
        if (isOtherGreeting(line)) sayOtherRelease(host);
        return { account: host, isInstant: true, answer: () => Promise.resolve({ line: printGreeting() }) };
      }
      const came = arrival(options);
      /** What `work` gives, or the end of the connection: the member then asks the next judge, which may be well. */
      const orEnd = (work: (means: Means) => Promise<Reply>) => async (): Promise<Reply> => {
        try {
          const means = meansOfFleetJudge(options);
          const wrong = await members.whyNot(member);
          if (wrong === undefined) return await work(means);
          // It may come again, with another certificate.
          sayFault(`${host} asks, and is not answered: ${wrong}`, MEMBERS_HINT);
        } catch (error) {
          sayFault(messageOf(error));
        }
        return END;
      };
      if (isPing(line)) {
        // The reason alone: the detail is for this host. Where the store is away, that is the reason.
        const health = async (): Promise<Health> => ({ ...(await healthOf(() => meansOfFleetJudge(options), came)), detail: '', key: '' });
        const { answer, ...asked } = pinged(health);
        const isOut = async (): Promise<boolean> => (await members.whyNot(member).catch(() => undefined)) !== undefined;
        return { ...asked, account: host, answer: async (enrolment) => ((await isOut()) ? END : await answer(enrolment)) };
      }
      const asked = parseRefusal(line) ?? parseQuestion(line);
      const { account } = asked;
      if (account === undefined) throw new NotpError('failed', 'a member must name the account');
      if (account.uid !== undefined) names.add(account.user);
      const origin = { ...asked.origin, host };
      const whole = 'ask' in asked ? { ...asked, origin } : { ...asked, origin, detail: `${host} says: ${asked.detail}` };
      const answer = orEnd((means) => judgeOrRecord(whole, { ...means, account }, came));
      // Turns go by certificate, and among the questions of one member by user.
      return { account: host, ...askerOf(asked), source: account.uid === undefined ? '' : account.user, answer };
    },
    maxLine: MAX_MEMBER_LINE,
    firstMs: ANSWER_DEADLINE_MS,
    patienceMs: KEPT_MS,
    leave: leaving(options, names.all),
  };
}

/** The members of the fleet that this host judges for. */
export function membersFor(options: ServeOptions): Members {
  return membersAt(() => meansOfFleetJudge(options));
}

/** The means of a judge of a fleet. Throws `bad_configuration` where this host is none. */
function meansOfFleetJudge(options: ServeOptions): Means {
  const means = meansOf(options);
  // Two members that name each other would ask each other for ever.
  if (isMember(means.config)) throw new NotpError('bad_configuration', 'this host is a member itself: fleet.judges names judges');
  if (means.config.secretsInStore) return means;
  throw new NotpError('bad_configuration', 'a judge of a fleet needs secrets = "store"');
}

/** Judges a question or records a refusal of the door, or has a judge of the fleet do so. */
async function judgeOrRecord(asked: Question | ToldRefusal, service: Service, came: Arrival): Promise<Reply> {
  if (isMember(service.config)) return answerOf(await forwarded(asWords(asked), service, came.untilMs));
  if ('ask' in asked) return answerOf(await decideHere(asked, service, came));
  const { origin, reason, detail } = asWords(asked);
  const refusal = { config: service.config, origin: { ...service.account, ...origin }, reason, detail };
  const outcome = await recordRefusal(refusal, service.now);
  if (outcome.ref === '' && origin.host !== undefined) throw new NotpError('audit_unavailable', 'a refusal could not be recorded');
  return answerOf(outcome);
}

/** Marks the detail of a refusal as the door's words, behind a user's own socket: any program of that user may have sent it. */
function asWords<T extends Question | ToldRefusal>(asked: T): T {
  return 'ask' in asked || asked.account !== undefined ? asked : { ...asked, detail: `the door says: ${asked.detail}` };
}

/** Whether this host can decide, or a judge of its fleet. Never throws. */
async function healthHere(make: () => Means, came: Arrival): Promise<Health> {
  const member = memberAmong(make);
  return member === undefined ? await healthOf(make, came) : await memberHealth(member, came.untilMs);
}

/** The configuration, where it is that of a member. */
function memberAmong(make: () => Means): Config | undefined {
  try {
    const { config } = make();
    return isMember(config) ? config : undefined;
  } catch {
    return undefined;
  }
}

type Answer = (enrolment: SelfEnrolment) => Promise<Reply>;
type Refusing = <M extends Means>(
  origin: () => Origin,
  make: () => M,
  answer: (means: M, enrolment: SelfEnrolment) => Promise<Reply>,
) => Answer;

/** A ping takes its turn among the questions without key derivation. */
function pinged(health: () => Promise<Health>): Request {
  return { account: '', isCheap: true, answer: async () => ({ line: printPong(await health()) }) };
}

/** Answers on the means that `make` gives. Where `make` throws, each answer is the refusal for that error, which is printed once. */
function refusingAll({ now }: ServeOptions): Refusing {
  return (origin, make, answer) => async (enrolment) => {
    let means: ReturnType<typeof make>;
    try {
      means = make();
    } catch (error) {
      const detail = messageOf(error);
      sayFault(detail);
      return answerOf(await recordRefusal({ config: undefined, origin: origin(), reason: reasonOf(error), detail }, now));
    }
    return await answer(means, enrolment);
  };
}

/** The name of the user of `uid`, for a record. Empty where the passwd database cannot tell. */
function nameOf(uid: number): string {
  try {
    return userByUid(uid).name;
  } catch {
    return '';
  }
}

/**
 * Records the refusals that were only counted so far, for the users that `names` gives. Refusals for a configuration that cannot be used
 * are counted where the defaults say; see recordRefusal().
 */
function leaving(options: ServeOptions, names: () => readonly string[]): () => Promise<void> {
  return async () => {
    leaveFleetJudges();
    try {
      await recordCounted(meansOf(options), names());
    } catch {
      await recordCounted(meansOf({ ...options, configuration: defaultConfig }), names()).catch(() => undefined);
    }
  };
}

function answerOf(outcome: Outcome | undefined): Reply {
  const line = printAnswer(outcome);
  if (outcome === undefined) return { line };
  const { verdict } = outcome;
  const isStepUp = verdict.result === 'refused' && verdict.reason === 'step_up_required';
  return { line, result: isStepUp ? 'asks for more' : verdict.result };
}

type Arrival = Required<Pick<Login, 'askedMs' | 'untilMs'>>;

/** The time of a question: now. It is answered before the caller gives up. */
function arrival({ now }: ServeOptions): Arrival {
  return { askedMs: now(), untilMs: uptimeMs() + ANSWER_DEADLINE_MS - START_MS };
}

/** The time that the service may have needed to start. */
const START_MS = 5_000;

/** A source is an address without the terminal: opening more sessions does not make more sources. */
function askerOf(asked: Question | ToldRefusal): Omit<Asker, 'account'> {
  const source = networkOf(asked.origin.rhost ?? '');
  if (!('ask' in asked)) return { source, isCheap: true };
  const { connection } = asked.session;
  return {
    source,
    connection: connection === undefined ? undefined : `${String(connection.pid)} ${String(connection.startTicks)}`,
    isCheap: asked.ask !== 'verify' || asked.readings.length === 0,
  };
}

const AT_JUDGES = 'this host is a member of a fleet, and the enrolments are kept by its judges';
const ENROLLING: AskedOrigin = { context: 'ssh', door: 'cli' };

function meansOf({ configuration, environment, now }: ServeOptions): Means {
  const config = configuration();
  const place = statePlace(config, realUser());
  if (place.kind !== 'service') throw new NotpError('not_permitted', 'notp serve must run as the system user notp');
  return { config, place: withCredentials(place, config, environment), now };
}

async function answerEnrolment(question: EnrolQuestion, service: Service, enrolment: SelfEnrolment): Promise<string> {
  if (isMember(service.config)) {
    const refusal = { ...service, origin: { ...service.account, ...ENROLLING }, reason: 'not_permitted', detail: AT_JUDGES } as const;
    return printEnrolAnswer({ kind: 'refused', outcome: await recordRefusal(refusal, service.now) });
  }
  if (question.step === 'status') return printEnrolAnswer({ kind: 'facts', facts: await statusFacts(service, question.files) });
  const file = 'sealed' in question ? question : { context: service.config.context, sealed: '', wrong: '' };
  const asked: AskedOrigin = { ...ENROLLING, context: file.context };
  const login = loginOf(service, asked, [file], NOTHING_KNOWN);
  const terms = termsOf(service, asked);
  const kept = async (state: State | undefined): Promise<Login> => (state === undefined ? login : await withKept(login, terms, state));
  const whole = terms.inStore ? await withState(service.place, service.now, kept) : login;
  return printEnrolAnswer(await enrolment.answer(question, whole, { ...terms, mayFallBack: false }));
}

async function statusFacts({ config, account, place, now }: Service, sent: readonly SentFile[]): Promise<readonly Facts[]> {
  const files = sent.map((file) => foundIn(file, account.user));
  return await withState(place, now, async (state) => {
    const { enrolments, sources } = (await state?.store.exclusively(async (transaction) => ({
      enrolments: await transaction.enrolmentsOf(account.user),
      sources: await sourcesIn(transaction, config, now(), account.user),
    }))) ?? { enrolments: [], sources: [] };
    const contexts = enrolments.map(({ context }) => context);
    const kept = config.secretsInStore && state !== undefined ? await keptFiles(state.store, account.user, contexts) : files;
    return factsOfFiles(config, enrolments, openableWithTokens(kept, state?.hostKey), now(), sources);
  });
}

/** Records the refusals of a flood that were only counted so far, since the next login may be far off. If that fails they stay counted. */
async function recordCounted({ config, place, now }: Means, names: readonly string[]): Promise<void> {
  if (isMember(config)) return;
  try {
    await withState(place, now, async (state) => {
      for (const name of names) await state?.store.exclusively((transaction) => appendSummaries(state.log, transaction, name));
    });
  } catch (error) {
    sayError(`logins are counted and not recorded yet: ${messageOf(error)}`, 'the next login records them');
  }
}

async function decideHere(question: Question, service: Service, came: Arrival): Promise<Outcome | undefined> {
  const { config, account, now } = service;
  const asked = question.files.map(({ context }) => context).join(' ');
  // The configuration says which contexts log in, not the caller.
  if (question.origin.door !== 'cli' && asked !== config.contexts.join(' ')) {
    const own = `the configuration says context = ${config.contexts.join(' ')}`;
    const { host } = question.origin;
    if (host !== undefined) throw new NotpError('bad_configuration', `${host} asks about another context, but ${own}`);
    const detail = `asked by ${asked}, but ${own}`;
    const origin = { ...account, ...question.origin, context: config.context };
    return await recordRefusal({ config, origin, reason: 'bad_configuration', detail }, now);
  }
  const login = { ...loginOf(service, question.origin, question.files, question.circumstances), ...came };
  const verifier = localVerifier(login, termsOf(service, question.origin));
  try {
    // A connection that the configuration forbids does not count, even when the caller sends one.
    const session = config.gate.sameConnection ? question.session : { ...question.session, connection: undefined };
    if (question.ask !== 'verify') return await verifier.beforeAsking(session, question.ask === 'acceptance' ? 'acceptance' : undefined);
    return await verifier.verify({ ...question, session });
  } finally {
    verifier.close();
  }
}

function loginOf({ config, account }: Service, asked: AskedOrigin, sent: readonly SentFile[], circumstances: Circumstances): Login {
  const files = sent.map((file) => foundIn(asSaid(file), account.user));
  const contexts = files.map(({ context }) => context);
  return { files, account: accountContexts(config, contexts), origin: { ...account, ...asked }, circumstances };
}

function termsOf({ config, place, now }: Service, asked: AskedOrigin): Terms {
  return {
    place,
    inStore: config.secretsInStore,
    policy: config.policy,
    // Behind the service nobody enrols without an invitation.
    unenrolled: 'deny',
    rules: rulesAt(config, asked),
    rulesInStore: areStored(config, asked),
    host: asked.host ?? thisHost(config),
    mayFallBack: true,
    ...(asked.host === undefined ? {} : { areOthersAsked: true }),
    now,
  };
}

/** Marks the reason why a file cannot be read as the door's words, for the record of the decision. */
function asSaid(file: SentFile): SentFile {
  return file.wrong === '' ? file : { ...file, wrong: `the door says: ${file.wrong}` };
}
