/** Applies a setup without locking anybody out: it is checked before and after, and undone automatically unless it is confirmed. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { examine, type DoctorOptions, type Finding } from '../doctor/doctor.ts';
import { ANSWERS } from '../doctor/host/answers.ts';
import { CONFIGURATION } from '../doctor/host/configuration.ts';
import { BOTH_DOORS } from '../doctor/sshd/findings.ts';
import { isOfOwnFiles } from '../doctor/sshd/keys.ts';
import { unsafeShells } from '../doctor/host/shells.ts';
import { NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { momentNow } from '../system/ssh/session.ts';
import { enableJudge, hasService, isBooted } from '../system/systemd.ts';
import { draft } from '../system/trusted.ts';
import { userByName } from '../system/users.ts';
import { limitsOf, uidsCoveredBy, usersIn } from './limits.ts';
import { isIn, lockOutReasons } from './lockout.ts';
import { overruled } from './overruled.ts';
import { ownFailures } from './own-failures.ts';
import type { Change, Plan } from './plan.ts';
import { alreadyUnconfirmed, isUnconfirmed, makeRecord, mark, release, unfinishedSetup, type Setup } from './record.ts';
import type { Scope } from './scope.ts';
import { checkSshd, reloadSshd } from './sshd.ts';
import { armTimer } from './timer.ts';
import { refusedBy } from './refused.ts';
import { endUndo, restoreFiles } from './undo.ts';
import { namesUpTo } from '../lists.ts';

/**
 * Doctor's rule on PermitRootLogin at the PAM door is not a way in but a lock-out, which lockout.ts checks and --force allows. And sshd is
 * reloaded when all is written.
 */
const RELOAD = 'sshd-reload';
const NO_MATTER = ['P6', RELOAD];

/** Findings with which nobody gets in, whether they were there before or not. */
const KEEP_OUT: readonly string[] = [CONFIGURATION, ANSWERS];

const MAX_NAMES = 20;

export interface ApplyOptions {
  readonly config: Config;
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => number;
  /** Undefined: the setup counts as confirmed at once. */
  readonly confirmWithinSeconds: number | undefined;
  readonly reload: boolean;
  /** Apply it even if it would lock somebody out, replace a user's limit by the gate, or leave a way around the code that was there before. */
  readonly force: boolean;
  /** Called with sentences for people before anything is written: who will be refused. */
  readonly tell: (sentence: string) => void;
}

export interface Applied {
  readonly setup: Setup;
  /** The unit or process that was reloaded; undefined if none was. */
  readonly reloaded: string | undefined;
  /** The failures of the door's own rules that `force` has allowed. */
  readonly left: readonly Finding[];
}

/** The setup is in place, or doctor rejected it and it was undone. */
export type Outcome = Applied | { readonly rejected: readonly Finding[] };

/** Throws `refused` if the setup is refused or was undone. After any exception every file is as it was before. */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<Outcome> {
  if (unfinishedSetup() !== undefined) throw alreadyUnconfirmed();
  requireFolders(plan);
  if (plan.door !== 'sudo') checkSshd('correct that first; nothing was changed');
  if (!options.force) {
    await refuseLockOut(plan, options);
    await refuseLimits(plan);
  }
  if (plan.door !== 'gate') requireJudge();
  refuseOpenShells(plan);
  const found = await runDoctor(options, { coming: plan.door === 'gate' ? 'gate' : 'pam' });
  const before = failures(found);
  if (!options.force) refuseUseless(before, plan);
  for (const sentence of await refusedBy(plan, options.config, options.now)) options.tell(sentence);
  const setup = makeRecord(plan, options.now);
  const reloads = options.reload && plan.door !== 'sudo';
  const begun = { reload: false, isLoaded: false };
  try {
    // Armed before the first change, so that it also undoes a setup that was killed half-way.
    if (options.confirmWithinSeconds !== undefined) armTimer(setup, options.confirmWithinSeconds);
    begun.isLoaded = reloads && isLoaded(found);
    for (const change of plan.changes) put(change);
    if (plan.door !== 'sudo') checkSshd('every file is as it was before');
    const concerned = (await runDoctor(options, { covered: () => uidsCoveredBy([plan]) })).filter((finding) =>
      isConcerned(finding, plan.scope),
    );
    // Those of KEEP_OUT do not come of what was written: before, they were asked of everybody who will be concerned.
    const failed = failures(concerned).filter(({ id }) => !KEEP_OUT.includes(id));
    const own = ownFailures(plan, failed);
    const caused = [...newFindings(before, failed), ...(plan.door === 'gate' ? overruled(concerned) : [])];
    // Nobody can keep root from a setup for all by a file in their own home.
    const rejected = unique(
      options.force ? caused.filter((finding) => !isOfOwnFiles(finding)) : [...caused, ...own, ...secondDoor(found, concerned)],
    );
    if (rejected.length > 0) {
      takeBack(setup, begun);
      return { rejected };
    }
    begun.reload = reloads;
    const reloaded = begun.reload ? reloadSshd() : undefined;
    finish(setup, options);
    return { setup, reloaded, left: own };
  } catch (error) {
    takeBack(setup, begun);
    throw error;
  }
}

/** Whoever would meet both doors has to wait for a second code at each login. */
function secondDoor(before: readonly Finding[], after: readonly Finding[]): Finding[] {
  const fix = 'notp setup undo first, or leave them out with --user or --group; --force opens both doors for them';
  return before.some(isOfBothDoors) ? [] : after.filter(isOfBothDoors).map((finding) => ({ ...finding, fix }));
}

function isOfBothDoors({ id }: Finding): boolean {
  return id === BOTH_DOORS;
}

/** `isLoaded`: sshd had read its files as they are again, but they look newer now. */
function takeBack(setup: Setup, begun: { readonly reload: boolean; readonly isLoaded: boolean }): void {
  restoreFiles(setup);
  if (begun.reload) reloadSshd();
  else if (begun.isLoaded) reloadIfPossible();
  endUndo(setup);
}

function reloadIfPossible(): void {
  try {
    reloadSshd();
  } catch {
    // It goes on with the same configuration; doctor says that it is not known (sshd-reload).
  }
}

/** Whether every sshd is known to have read the present configuration. */
function isLoaded(found: readonly Finding[]): boolean {
  const reloads = found.filter(({ id }) => id === RELOAD);
  return reloads.length > 0 && reloads.every(({ severity }) => severity === 'ok');
}

function finish(setup: Setup, { confirmWithinSeconds }: ApplyOptions): void {
  if (!isUnconfirmed(setup))
    throw new NotpError('refused', 'the time to confirm ended before everything was in place', 'allow more time: --confirm-within 10m');
  mark(setup, 'applied', JSON.stringify(momentNow()));
  if (confirmWithinSeconds === undefined) release(setup, 'confirmed');
}

/** /etc/notp exists once notp is set up on this host. */
function requireFolders({ changes }: Plan): void {
  const missing = changes.map(({ file }) => dirname(file)).find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new NotpError('refused', `there is no ${missing}`, 'set notp up on this host first: notp host-key init');
}

/** On a host with systemd, the judge alone decides at the PAM door. So it must listen. */
function requireJudge(): void {
  if (!isBooted()) return;
  if (!hasService())
    throw new NotpError('refused', "notp's units are not installed, and nobody could log in", 'install the files of systemd/');
  enableJudge();
}

async function refuseLockOut(plan: Plan, options: ApplyOptions): Promise<void> {
  const reasons = await lockOutReasons(options.config, plan, options);
  if (reasons.length === 0) return;
  throw new NotpError(
    'refused',
    `this would lock you out: ${reasons.join('; ')}`,
    'or begin with --user or --group; --force applies it anyway',
  );
}

/** Refuses if sshd limits users of the scope, whether they are enrolled or not. */
async function refuseLimits({ door, scope }: Plan): Promise<void> {
  const limits = door === 'gate' ? await limitsOf(scope) : [];
  if (limits.length === 0) return;
  const more = limits.length > MAX_NAMES ? `; and ${String(limits.length - MAX_NAMES)} more` : '';
  throw new NotpError(
    'refused',
    `sshd_config limits these users, and the gate would give them a full shell or be missing in their chroot: ${limits.slice(0, MAX_NAMES).join('; ')}${more}`,
    'notp setup pam keeps their limits; or exclude them with --user or --group; --force sets up the gate anyway',
  );
}

/** Checks all users of the scope, also those who are not enrolled yet and whom doctor does not check. */
function refuseOpenShells({ door, scope }: Plan): void {
  if (door !== 'gate') return;
  const all = usersIn(scope);
  const open = unsafeShells(all.map(({ shell }) => shell));
  const users = all.filter(({ shell }) => open.has(shell));
  if (users.length === 0) return;
  const names = users.map(({ name, shell }) => `${name} (${shell})`);
  throw new NotpError(
    'refused',
    `these users could avoid the gate by their shell, which reads a file in their home first or can be changed by others than root: ${namesUpTo(MAX_NAMES, names)}`,
    'chsh -s /bin/bash for each, or begin with --user or --group, or notp setup pam',
  );
}

/** Refuses if the doors cannot read the configuration, or the services behind them cannot decide: then nobody would get in. */
function refuseUseless(failed: readonly Finding[], { scope }: Plan): void {
  const found = failed.find((finding) => KEEP_OUT.includes(finding.id) && isConcerned(finding, scope));
  if (found === undefined) return;
  const { user, title, detail, fix } = found;
  throw new NotpError(
    'refused',
    `${user === undefined ? '' : `${user}: `}${title}: ${detail}`,
    `${fix}; nothing was changed, and --force sets it up anyway`,
  );
}

async function runDoctor(
  { config, now }: ApplyOptions,
  { coming, covered }: Pick<DoctorOptions, 'coming' | 'covered'>,
): Promise<readonly Finding[]> {
  return await examine({ config, coming, covered, users: undefined, sshdConfig: undefined, now, progress: () => undefined });
}

function failures(all: readonly Finding[]): Finding[] {
  return all.filter(({ id, severity }) => severity === 'fail' && !NO_MATTER.includes(id));
}

/** Findings that are more frequent than before. Details are not compared, as they may contain values that change by themselves. */
function newFindings(before: readonly Finding[], after: readonly Finding[]): Finding[] {
  return after.filter((finding) => countLike(finding, after) > countLike(finding, before));
}

/** Users outside the scope need no code. Doctor reports that as a failure, but here it is intended. */
function isConcerned({ user: name }: Finding, scope: Scope): boolean {
  const user = name === undefined ? undefined : userByName(name);
  return user === undefined || isIn(user, scope);
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}

function countLike({ id, user }: Finding, findings: readonly Finding[]): number {
  return findings.filter((finding) => finding.id === id && finding.user === user).length;
}

function put({ file, after }: Change): void {
  const written = draft(file, after.bytes, after);
  try {
    written.put();
  } catch (error) {
    written.drop();
    throw error;
  }
}
