/** What the service answers: verdicts on the state of the host, and the steps of an enrolment. */
import { appendSum } from '../audit/audit.ts';
import type { Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { sayError } from '../system/printer.ts';
import { sealedFor, type Found } from '../system/secrets.ts';
import { userByUid, type User } from '../system/users.ts';
import { accountContexts } from '../verifier/account.ts';
import { localVerifier, withKept, type LocalOptions } from '../verifier/local.ts';
import { reasonOf } from '../verifier/outcome.ts';
import { recordRefusal } from '../verifier/open.ts';
import { factsOfFiles } from '../verifier/care.ts';
import { withCredentials } from '../verifier/credentials.ts';
import type { Facts } from '../verifier/facts.ts';
import { keptFiles } from '../verifier/sealed-files.ts';
import type { SelfEnrolment } from '../verifier/self-enrolment.ts';
import { statePlace, withState, type StatePlace } from '../verifier/state.ts';
import type { Outcome } from '../verifier/verifier.ts';
import { isEnrolQuestion, parseEnrolQuestion } from '../verifier/wire-enrol.ts';
import { printEnrolAnswer } from '../verifier/wire-enrol-answer.ts';
import { parseQuestion, printAnswer, type AskedOrigin, type Question, type SentFile } from '../verifier/wire.ts';
import { LINE_MS, type Answering } from './serve-connection.ts';

export interface ServeOptions {
  readonly configuration: () => Config;
  /** Whose socket it is. */
  readonly uid: number;
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => number;
}

/** Whom it decides for, and by what. */
interface Service extends Omit<ServeOptions, 'configuration'> {
  readonly config: Config;
  readonly user: User;
  readonly place: StatePlace;
}

/** Somebody looks for the phone, or scans a QR code. */
const PATIENCE_MS = 10 * 60_000;

/** What is wrong with the host is answered with refusals: to end at once would only make systemd start it again, for ever. */
export function answeringFor(options: ServeOptions): Answering {
  try {
    const service = serviceOf(options);
    return {
      answer: (line, enrolment) => answerTo(line, service, enrolment),
      patienceMs: Math.max(PATIENCE_MS, service.config.gate.timeoutMs + LINE_MS),
      leave: () => tellTheRest(service),
    };
  } catch (error) {
    const reason = reasonOf(error);
    const detail = messageOf(error);
    sayError(detail, 'every question is refused until this is mended');
    const answer: Answering['answer'] = async (line) => {
      const origin: Origin = { user: '', uid: options.uid, ...(isEnrolQuestion(line) ? ENROLLING : parseQuestion(line).origin) };
      return printAnswer(await recordRefusal({ config: undefined, origin, reason, detail }, options.now));
    };
    return { answer, patienceMs: PATIENCE_MS, leave: () => Promise.resolve() };
  }
}

const ENROLLING: AskedOrigin = { context: 'ssh', door: 'cli' };

function serviceOf(options: ServeOptions): Service {
  const config = options.configuration();
  const user = userByUid(options.uid);
  const place = statePlace(config, user);
  if (place.kind !== 'service') throw new NotpError('not_permitted', 'notp serve must run as the system user notp');
  return { ...options, config, user, place: withCredentials(place, config, options.environment) };
}

async function answerTo(line: string, service: Service, enrolment: SelfEnrolment): Promise<string> {
  if (!isEnrolQuestion(line)) return printAnswer(await judge(parseQuestion(line), service));
  const question = parseEnrolQuestion(line);
  if (question.step === 'status') return printEnrolAnswer({ kind: 'facts', facts: await factsOf(service, question.files) });
  const file = 'sealed' in question ? question : { context: service.config.context, sealed: '', wrong: '' };
  const asked: AskedOrigin = { ...ENROLLING, context: file.context };
  const options = verifierOptions(service, asked, [file]);
  const { place, now, config } = service;
  const whole = config.secretsInStore ? await withState(place, now, (state) => withKept(options, state?.store)) : options;
  return printEnrolAnswer(await enrolment.answer(question, whole));
}

async function factsOf({ config, user, place, now }: Service, sent: readonly SentFile[]): Promise<readonly Facts[]> {
  const files = sent.map((file) => ({ context: file.context, found: received(user, file) }));
  return await withState(place, now, async (state) => {
    const enrolments = (await state?.store.exclusively((transaction) => transaction.enrolmentsOf(user.name))) ?? [];
    const contexts = enrolments.map(({ context }) => context);
    const kept = config.secretsInStore && state !== undefined ? await keptFiles(state.store, user.name, contexts) : files;
    return factsOfFiles(config, enrolments, kept, now());
  });
}

/** Refusals of a flood that were only counted so far are recorded now: it may be long until somebody comes. If that fails they stay counted. */
async function tellTheRest({ user, place, now }: Service): Promise<void> {
  try {
    await withState(place, now, async (state) => {
      await state?.store.exclusively((transaction) => appendSum(state.log, transaction, user.name));
    });
  } catch (error) {
    sayError(`refusals are counted and not recorded yet: ${messageOf(error)}`, 'the next login of this user records them');
  }
}

async function judge(question: Question, service: Service): Promise<Outcome | undefined> {
  const verifier = localVerifier({ ...verifierOptions(service, question.origin, question.files), mayFallBack: true });
  try {
    if (question.ask === 'before') return await verifier.beforeAsking(question.session);
    return await verifier.verify(question);
  } finally {
    verifier.close();
  }
}

function verifierOptions({ config, user, place, now }: Service, asked: AskedOrigin, sent: readonly SentFile[]): LocalOptions {
  const files = sent.map((file) => ({ context: file.context, found: received(user, file) }));
  return {
    place,
    files,
    inStore: config.secretsInStore,
    account: accountContexts(
      config,
      files.map(({ context }) => context),
    ),
    origin: { user: user.name, uid: user.uid, ...asked },
    policy: config.policy,
    allowUnenrolled: config.unenrolled === 'allow' && asked.door !== 'cli',
    trustMs: asked.door === 'gate' ? config.gate.trustMs : 0,
    now,
  };
}

/** The sealed file as the user's process sent it. */
function received(user: User, { context, sealed, wrong }: SentFile): Found {
  if (wrong !== '') return { kind: 'bad', why: wrong };
  if (sealed === '') return { kind: 'absent' };
  try {
    return { kind: 'sealed', file: sealedFor(user, context, Buffer.from(sealed)) };
  } catch (error) {
    return { kind: 'bad', why: messageOf(error) };
  }
}
