/**
 * `notp gate`, for sshd's ForceCommand. It runs as the user after sshd has authenticated them, asks for the code, and becomes the
 * user's shell. It prints everything on stderr. Whatever ends it before acceptance is a refusal.
 */
import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import { readings, typedLine } from '../otp/proof.ts';
import { askingFor, keyCommand, requireNoLimits } from '../system/ssh/authorized-keys.ts';
import type { Config } from '../system/config.ts';
import { openConversation } from '../terminal/conversation.ts';
import { say, sayError, sayHint } from '../terminal/printer.ts';
import { onEndingSignals } from '../system/bytes.ts';
import { authInfo, clientAddress, keyDigestOf, keyTypeOf, sshConnection } from '../system/ssh/session.ts';
import { entryOf, realUser, type User } from '../system/users.ts';
import { openVerifier, presentSocket, refuseAtGate, type OpenOptions } from '../login/open.ts';
import { reasonOf } from '../login/record.ts';
import { groupFacts, seemsFree, type RuleGroups } from '../login/ruling.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Circumstances, Outcome, SshSession, Verifier } from '../wire/verifier.ts';
import { enrollFirst, isToEnroll } from './enroll-first.ts';
import { noticeLine } from './notice.ts';
import { askOneLine, askUnlessSettled, isWorthAnotherTry } from './prompts.ts';
import { isAccepted, refusalText, sayRefusal } from './refusal.ts';
import { refuseOverSftp } from './sftp-refusal.ts';
import { becomeShell, CODE_VARIABLES } from './shell.ts';

const EXPOSE_AUTH_INFO_HINT =
  'set ExposeAuthInfo yes in sshd_config and check the space in /tmp; to do without it, set expose_auth_info = false under [gate] in notp.toml';

export interface GateOptions {
  readonly configuration: () => Config;
  readonly environment: NodeJS.ProcessEnv;
  /** The umask that this process was started with. */
  readonly umask: number;
  readonly now: () => number;
}

/**
 * What programs start on the far side to speak a protocol with it: nobody can type there, and some of them wait for the other side for ever.
 * The last two are mosh, which gives its ssh a terminal but no input, and Ansible, which ends each of its commands so.
 */
const PROTOCOLS = [
  /(^|[\s/])(internal-sftp|sftp-server|scp\s+(-\S+\s+)*-[tf]|rsync\s+--server|git[\s-](upload-pack|receive-pack|upload-archive))(\s|$)/,
  /(^|[\s/])unison\S*\s+-server(\s|$)/,
  /(^|[\s/])mosh-server\s+'?new'?\s+'?-c/,
  /&& sleep 0'$/,
];
/** What sshd runs for the subsystem sftp. */
const SFTP = /^\S*(internal-sftp|sftp-server)(\s|$)/;
/** The hint in the protocol of SFTP: one line, which some clients show in ASCII alone. */
const SFTP_HINT = 'set the code in LC_NOTP and send it (SendEnv=LC_NOTP), or share a connection that was asked (ControlMaster)';
/** How long an SFTP client is told why it is refused; most leave at once. */
const SFTP_MS = 10_000;
const HEADLESS_HINT =
  'set the code in the environment: LC_NOTP=123456 scp -o SendEnv=LC_NOTP …; or open a session first and share it (ControlMaster); or ask an administrator for the PAM door';

/** Gives an exit code where access is refused. Where access is granted, this process has become the user's shell. */
export async function gate(options: GateOptions): Promise<number> {
  const user = realUser();
  const origin = originOf(user, options.environment);
  let config: Config;
  try {
    config = options.configuration();
  } catch (error) {
    const refusal = { config: undefined, origin, reason: 'bad_configuration', detail: messageOf(error) } as const;
    return await refuse(sayRefusal(await refuseAtGate(user, refusal, options.now)), options);
  }
  const refuseFor = async (reason: Reason, error: unknown): Promise<number> => {
    sayError(messageOf(error), error instanceof NotpError ? error.hint : undefined);
    return await refuse(sayRefusal(await refuseAtGate(user, { config, origin, reason, detail: messageOf(error) }, options.now)), options);
  };
  // The passwd entry has the home, the keys and the shell.
  let entry: User;
  let circumstances: Circumstances;
  try {
    entry = entryOf(user, options.environment['USER']);
    circumstances = circumstancesOf(config, options.environment, user);
  } catch (error) {
    return await refuseFor(reasonOf(error), error);
  }
  let forced: string | undefined;
  try {
    forced = forcedByKey(entry, config, options);
    if (forced === undefined) requireText(options.environment['SSH_ORIGINAL_COMMAND'] ?? '');
  } catch (error) {
    return await refuseFor('not_permitted', error);
  }
  const judge = async (): Promise<Outcome> =>
    await withVerifier(
      { config, contexts: config.contexts, user, origin: { ...origin, context: config.context }, circumstances, now: options.now },
      (verifier) => ask(verifier, config, options, seemsFree(config, { origin, circumstances })),
    );
  const first = await judge();
  const outcome = isToEnroll(first, config, user) && (await enrollFirst(config, user, options.now)) ? await judge() : first;
  if (!isAccepted(outcome)) return await refuse(outcome, options);
  sayNotice(outcome, { config, user }, options.environment);
  return becomeShell(entry, { ...options, keyCommand: forced });
}

/** Gives the exit code of a refusal that was said. sshd drops what a subsystem says on stderr, so an SFTP client is told in its protocol. */
async function refuse(outcome: Outcome, { environment, now }: GateOptions): Promise<number> {
  if (!SFTP.test(environment['SSH_ORIGINAL_COMMAND'] ?? '') || isatty(0)) return 1;
  const text = isWithoutProof(outcome) ? refusalText(outcome, SFTP_HINT) : refusalText(outcome);
  await refuseOverSftp(text, { deadlineMs: now() + SFTP_MS, interrupt: onEndingSignals() });
  return 1;
}

/** A program that logs in by itself is not told that its user should enrol. */
function sayNotice({ notice }: Outcome, { config, user }: { config: Config; user: User }, environment: NodeJS.ProcessEnv): void {
  const isHeard = notice?.kind === 'refused_tries' || environment['SSH_TTY'] !== undefined;
  if (config.notices && notice !== undefined && isHeard) say(noticeLine(notice, { isOwnLog: presentSocket(config, user) === undefined }));
}

async function withVerifier(what: OpenOptions, work: (verifier: Verifier) => Promise<Outcome>): Promise<Outcome> {
  const verifier = await openVerifier(what);
  try {
    return await work(verifier);
  } finally {
    verifier.close();
  }
}

async function ask(verifier: Verifier, config: Config, { environment, now }: GateOptions, isFree: boolean): Promise<Outcome> {
  const session = { connection: config.gate.sameConnection ? sshConnection() : undefined, keyDigest: keyDigestOf(authInfo(environment)) };
  const given = CODE_VARIABLES.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  const conversation = openConversation({ deadlineMs: now() + config.gate.timeoutMs, interrupt: onEndingSignals() });
  try {
    const proof = given === undefined ? undefined : readings(typedLine(Buffer.from(given)) ?? '', verifier.seal);
    if (conversation.interactive && !speaksProtocol(environment)) {
      const tell = proof === undefined ? sayRefusal : sayRefusalOfGiven();
      const asking = { tries: config.gate.tries, prompt: config.gate.prompt, tell, attempt: { session }, given: proof, isFree };
      return await askUnlessSettled(verifier, conversation, session, asking);
    }
    const settled = await verifier.beforeAsking(session);
    if (settled !== undefined) return sayRefusal(settled);
    if (proof !== undefined) return sayRefusal(await verifier.verify({ readings: proof, session }));
    return await askWithoutTerminal(verifier, conversation, { environment, session, prompt: config.gate.prompt });
  } finally {
    conversation.close();
  }
}

/** Says with the first refusal of a proof where that came from: it may be a used one of a command before. */
function sayRefusalOfGiven(): (outcome: Outcome) => void {
  let isFirst = true;
  return (outcome) => {
    sayRefusal(outcome);
    if (isFirst && outcome.verdict.result === 'refused' && isWorthAnotherTry(outcome.verdict))
      sayHint('that came from LC_NOTP (or NOTP_CODE): unset it where it was not meant for this login');
    isFirst = false;
  };
}

async function askWithoutTerminal(
  verifier: Verifier,
  conversation: ReturnType<typeof openConversation>,
  { environment, session, prompt }: { readonly environment: NodeJS.ProcessEnv; readonly session: SshSession; readonly prompt: string },
): Promise<Outcome> {
  const answer = speaksProtocol(environment) ? { readings: [] } : await askOneLine(verifier, conversation, prompt);
  const outcome = sayRefusal(await verifier.verify({ ...answer, session }));
  if (isWithoutProof(outcome)) sayHint(HEADLESS_HINT);
  return outcome;
}

function speaksProtocol(environment: NodeJS.ProcessEnv): boolean {
  const command = environment['SSH_ORIGINAL_COMMAND'] ?? '';
  return PROTOCOLS.some((protocol) => protocol.test(command));
}

/** Whether nothing that could be a proof came, or nothing at all. */
function isWithoutProof({ verdict }: Outcome): boolean {
  return verdict.result === 'refused' && (verdict.reason === 'no_proof' || verdict.reason === 'timeout');
}

function originOf(user: User, environment: NodeJS.ProcessEnv): Origin {
  const rhost = clientAddress(environment);
  const tty = environment['SSH_TTY'];
  const where = { ...(rhost === undefined ? {} : { rhost }), ...(tty === undefined ? {} : { tty }) };
  return { user: user.name, uid: user.uid, context: 'ssh', door: 'gate', service: 'ssh', ...where };
}

/** What the rules know of a login at the gate: sshd has authenticated the user, by the name in USER. */
function circumstancesOf(config: RuleGroups, environment: NodeJS.ProcessEnv, user: User): Circumstances {
  const groups = groupFacts(config, user, environment['USER']);
  return { ...groups, keyType: keyTypeOf(authInfo(environment)), firstFactor: true };
}

/** Node.js reads bytes that are not UTF-8 as U+FFFD, so another command would run than the requested one. Throws `not_permitted`. */
function requireText(command: string): void {
  if (!command.includes('\ufffd')) return;
  const hint = 'open a session without a command and type it there, or use sftp for files with such names';
  throw new NotpError('not_permitted', 'the command has bytes that are no UTF-8, which would not reach the shell as they are', hint);
}

/** The forced command of the key. Throws where the key's line is unknown, since one of its limits could be lost. */
function forcedByKey(user: User, config: Config, { environment, now }: GateOptions): string | undefined {
  const file = environment['SSH_USER_AUTH'];
  const info = file === undefined ? '' : readFileSync(file, 'utf8');
  const asking = askingFor(config, user);
  // sshd writes a line for every method, also for a password.
  if (info !== '') return keyCommand(info, { ...asking, address: clientAddress(environment), nowMs: now() });
  if (environment['SSH_CONNECTION'] === undefined) return undefined;
  // Where sshd cannot write the file, because /tmp is full, it goes on without one.
  if (config.gate.exposeAuthInfo) throw new NotpError('not_permitted', 'sshd did not say which key this login used', EXPOSE_AUTH_INFO_HINT);
  requireNoLimits(asking);
  return undefined;
}
