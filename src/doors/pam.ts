/**
 * `notp pam`, for pam_exec(8): runs as root inside sshd, sudo, su or login. As root it connects to the judge, and as the user it
 * reads the sealed file. Then it becomes the service's user for good, and only after that parses the typed line. Without a judge it
 * opens the key, the state and the log itself. It exits with 0 only for an accepted proof.
 */
import { isAtSshd, type Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import { MAX_LINE_BYTES, readings, typedLine } from '../otp/proof.ts';
import { defaultConfig, type Config } from '../system/config.ts';
import { openConversation } from '../terminal/conversation.ts';
import { onEndingSignals, stdinUpTo } from '../system/bytes.ts';
import { shedInherited } from '../system/inherited.ts';
import { becomeForGood } from '../system/privileges.ts';
import { keyDigestOf, keyTypeOf } from '../system/ssh/session.ts';
import { printResult } from '../terminal/printer.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../system/users.ts';
import type { Refused } from '../verdict/decide.ts';
import { openJudge, type Judge } from '../wire/remote.ts';
import { hasJudge } from '../system/systemd.ts';
import { reasonOf } from '../login/record.ts';
import { openVerifier, recordRefusal, type OpenOptions } from '../login/open.ts';
import { groupFacts, seemsFree, type RuleGroups } from '../login/ruling.ts';
import type { Attempt, Circumstances, Outcome, Verifier } from '../wire/verifier.ts';
import { pamTerminal } from './pam-terminal.ts';
import { noticeLine } from './notice.ts';
import { askUnlessSettled } from './prompts.ts';
import { lineToStranger, refusalLine } from './refusal.ts';

export interface PamOptions {
  readonly configuration: () => Config;
  readonly environment: NodeJS.ProcessEnv;
  readonly promptTty: boolean;
  /** `--before`: only ask whether the login needs a proof. */
  readonly before: boolean;
  readonly now: () => number;
}

/** Refusals are answered at whole multiples of this, so that their time does not reveal the reason. */
const REFUSAL_GRID_MS = 1_000;
const STDIN_TIMEOUT_MS = 60_000;

/**
 * `--first-pass`: exit code 0 only in the first pass of sshd's PAM stack, the branch that leads to the password. There no method
 * has succeeded yet, and SSH_AUTH_INFO_0 is empty (ExposeAuthInfo in sshd_config(5)).
 */
export function firstPass(environment: NodeJS.ProcessEnv): number {
  return environment['PAM_TYPE'] === 'auth' && (environment['SSH_AUTH_INFO_0'] ?? '') === '' ? 0 : 1;
}

/**
 * Gives the exit code: 0 only where a verifier accepted the proof. With `before`, 0 only where it needs none, and no refusal is printed: the
 * line for the code follows, and asks or refuses.
 */
export async function pam(options: PamOptions): Promise<number> {
  const startMs = options.now();
  const name = options.environment['PAM_USER'] ?? '';
  const user = lookUp(name);
  const { outcome, isShown, notice } = await authenticate(options, user, originOf(options.environment, name, user));
  if (outcome?.verdict.result === 'accepted') {
    if (notice !== undefined) printForPam(notice);
    return 0;
  }
  if (outcome === undefined || options.before) return 1;
  await untilGrid(startMs, options.now());
  if (!isShown) printForPam(lineOf(outcome, user, options.environment));
  return 1;
}

/** The user of that name. A passwd database that does not answer counts as one without the user: refused, and recorded. */
function lookUp(name: string): User | undefined {
  try {
    return userByName(name);
  } catch {
    return undefined;
  }
}

interface Answered {
  /** Undefined: a proof is needed. */
  readonly outcome: Outcome | undefined;
  /** Whether the person has read the outcome on the terminal. */
  readonly isShown: boolean;
  /** What the person reads after an acceptance. */
  readonly notice?: string | undefined;
}

async function authenticate(options: PamOptions, user: User | undefined, origin: Origin): Promise<Answered> {
  const { environment, now } = options;
  let config: Config | undefined;
  let judge: Judge | undefined;
  try {
    if (!isRoot()) throw new NotpError('not_permitted', 'notp pam must be started by root, as pam_exec does');
    config = options.configuration();
    if (environment['PAM_TYPE'] !== 'auth') throw new NotpError('not_permitted', 'only PAM_TYPE=auth authenticates');
    const circumstances = circumstancesOf(config, environment, user);
    if (options.before && !circumstances.firstFactor) return { outcome: undefined, isShown: false };
    const line = options.promptTty || options.before ? undefined : await stdinLine(now);
    const whose = { ...origin, context: config.context };
    judge = await judgeOf(config, whose, now);
    return await askVerifier(options, { config, contexts: config.contexts, user, origin: whose, circumstances, judge, now }, line);
  } catch (error) {
    const [reason, detail] = [reasonOf(error), messageOf(error)];
    judge ??= await judgeOf(config ?? defaultConfig(), origin, now);
    if (judge !== undefined) return { outcome: await judge.refuse(reason, detail), isShown: false };
    becomeService(config ?? defaultConfig());
    return { outcome: await recordRefusal({ config, origin, reason, detail }, now), isShown: false };
  } finally {
    judge?.close();
  }
}

/** The judge; undefined where there is none. Then this process decides, and first closes everything that it inherited from its caller. */
async function judgeOf(config: Config, origin: Origin, now: () => number): Promise<Judge | undefined> {
  if (hasJudge(config)) return await openJudge(config, origin, now);
  shedInherited();
  return undefined;
}

/** Becomes the service's user before the state is opened, so that the caller can neither stop nor kill this process. */
function becomeService({ store }: Config): void {
  const service = isRoot() && store.kind !== 'user' ? lookUp(SERVICE_USER) : undefined;
  if (service !== undefined) becomeForGood(service);
}

async function askVerifier(options: PamOptions, opening: OpenOptions, line: Uint8Array | undefined): Promise<Answered> {
  const { config } = opening;
  const told = (outcome: Outcome | undefined): Pick<Answered, 'outcome' | 'notice'> => ({
    outcome,
    notice: config.notices && outcome?.notice !== undefined ? noticeLine(outcome.notice, { isOwnLog: false }) : undefined,
  });
  const service = userByName(SERVICE_USER);
  if (service === undefined) throw new NotpError('store_unavailable', `there is no system user ${SERVICE_USER}`);
  if (config.store.kind === 'user') throw new NotpError('bad_configuration', 'store.url = "user" does not serve the PAM door');
  const session = { connection: undefined, keyDigest: keyDigestOfPassed(options.environment) };
  // The terminal belongs to the user or to root, so it is opened before root's rights are given up.
  const terminal = options.promptTty ? terminalOrWhy(options.environment) : undefined;
  const verifier = await openVerifier(opening);
  becomeForGood(service);
  try {
    // Without a terminal nobody can be asked, but a rule or a grant may let them in.
    const isUnasked = options.before || terminal instanceof NotpError;
    const outcome = isUnasked ? await verifier.beforeAsking(session, 'acceptance') : undefined;
    if (options.before || outcome !== undefined) return { ...told(outcome), isShown: false };
    if (terminal instanceof NotpError) throw terminal;
    if (terminal === undefined) return { ...told(await verifier.verify({ ...attemptOf(line, verifier), session })), isShown: false };
    return { outcome: await askOnTerminal(verifier, opening, terminal, options), isShown: true };
  } finally {
    verifier.close();
  }
}

function terminalOrWhy(environment: NodeJS.ProcessEnv): Terminal | NotpError {
  try {
    return pamTerminal(environment);
  } catch (error) {
    if (error instanceof NotpError) return error;
    throw error;
  }
}

async function askOnTerminal(verifier: Verifier, opening: OpenOptions, terminal: Terminal, { now }: PamOptions): Promise<Outcome> {
  const { config } = opening;
  const conversation = openConversation({ deadlineMs: now() + config.gate.timeoutMs, interrupt: onEndingSignals() }, terminal);
  try {
    const tell = ({ verdict, ref }: Outcome): void => {
      if (verdict.result === 'refused') terminal.write(refusalLine(verdict, ref));
    };
    const outcome = await askUnlessSettled(verifier, conversation, undefined, {
      tries: config.gate.tries,
      prompt: config.gate.prompt,
      tell,
      attempt: {},
      isFree: seemsFree(config, opening),
    });
    if (config.notices && outcome.notice !== undefined) terminal.write(noticeLine(outcome.notice, { isOwnLog: false }));
    return outcome;
  } finally {
    conversation.close();
  }
}

function attemptOf(line: Uint8Array | undefined, verifier: Verifier): Attempt {
  if (line === undefined) return { readings: [], timedOut: true };
  const text = typedLine(line);
  return { readings: text === undefined ? [] : readings(text, verifier.seal) };
}

/** The line that pam_exec's `expose_authtok` passes on stdin, at most one byte over the cap; undefined where stdin never ended. */
async function stdinLine(now: () => number): Promise<Uint8Array | undefined> {
  return await stdinUpTo(MAX_LINE_BYTES, { deadlineMs: now() + STDIN_TIMEOUT_MS, interrupt: onEndingSignals() });
}

/**
 * The one line for PAM. A caller who has not passed a first factor learns nothing about users. sshd says which factors were passed.
 * Callers of sudo, su and login know the users there, and an unknown user looks like a wrong code.
 */
function lineOf({ verdict, ref }: Outcome, user: User | undefined, environment: NodeJS.ProcessEnv): string {
  const shown: Refused = verdict.result === 'refused' && user !== undefined ? verdict : { result: 'refused', reason: 'wrong_code' };
  const stranger = isSshd(environment) && (environment['SSH_AUTH_INFO_0'] ?? '') === '';
  return stranger ? lineToStranger(shown, ref) : refusalLine(shown, ref);
}

function originOf(environment: NodeJS.ProcessEnv, name: string, user: User | undefined): Origin {
  const optional = { service: environment['PAM_SERVICE'], rhost: environment['PAM_RHOST'], tty: environment['PAM_TTY'] };
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined && value !== ''));
  return { user: user?.name ?? name, ...(user === undefined ? {} : { uid: user.uid }), context: 'ssh', door: 'pam', ...present };
}

/** What the rules know of a login at PAM. Groups are those of the passwd database and NSS. */
function circumstancesOf(config: RuleGroups, environment: NodeJS.ProcessEnv, user: User | undefined): Circumstances {
  const groups = groupFacts(config, user, environment['PAM_USER']);
  // In the stacks of sudo and others, the lines before notp's have asked for the password.
  if (!isSshd(environment)) return { ...groups, keyType: undefined, firstFactor: true };
  const info = environment['SSH_AUTH_INFO_0'] ?? '';
  return { ...groups, keyType: keyTypeOf(info), firstFactor: info !== '' };
}

/** SHA-256 (hex) of the keys that have passed at sshd before its PAM stack. */
function keyDigestOfPassed(environment: NodeJS.ProcessEnv): string | undefined {
  return isSshd(environment) ? keyDigestOf(environment['SSH_AUTH_INFO_0'] ?? '') : undefined;
}

/** Whether it is sshd's PAM stack that started this process. */
function isSshd(environment: NodeJS.ProcessEnv): boolean {
  return isAtSshd({ door: 'pam', tty: environment['PAM_TTY'], service: environment['PAM_SERVICE'] });
}

async function untilGrid(startMs: number, nowMs: number): Promise<void> {
  const elapsed = Math.max(0, nowMs - startMs);
  await new Promise((resolve) => setTimeout(resolve, REFUSAL_GRID_MS - (elapsed % REFUSAL_GRID_MS)));
}

function printForPam(line: string): void {
  try {
    printResult(line);
  } catch {
    // Nobody reads it (pam_exec without `stdout`); the refusal still holds.
  }
}
