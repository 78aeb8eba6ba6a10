/** Putting a setup in place so that nobody is locked out: checked before and after, undone by itself unless it is confirmed. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { examine, type Finding } from '../doctor/doctor.ts';
import { unsafeShells } from '../doctor/host/shells.ts';
import { NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { momentNow } from '../system/ssh-session.ts';
import { enableJudge, hasService, isBooted } from '../system/systemd.ts';
import { draft } from '../system/trusted.ts';
import { allUsers, userByName } from '../system/users.ts';
import { limitsOf } from './limits.ts';
import { isIn, lockedOut } from './lockout.ts';
import { overruled } from './overruled.ts';
import type { Change, Plan } from './plan.ts';
import { alreadyUnconfirmed, isUnconfirmed, makeRecord, mark, release, unfinishedSetup, type Setup } from './record.ts';
import type { Scope } from './scope.ts';
import { checkSshd, reloadSshd } from './sshd.ts';
import { armTimer } from './timer.ts';
import { endUndo, restoreFiles } from './undo.ts';

/** Doctor's rule on PermitRootLogin at the PAM door: no way around it but a lock-out, which lockout.ts judges, and --force allows. */
const ROOT_NEVER_MATCHES = 'P6';

const MAX_NAMES = 20;

export interface ApplyOptions {
  readonly config: Config;
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => number;
  /** Undefined: it is confirmed at once. */
  readonly confirmWithinSeconds: number | undefined;
  readonly reload: boolean;
  /** Also where the administrator would be locked out, or the gate takes the place of a limit. */
  readonly force: boolean;
}

/** In place, or rejected by doctor and undone. */
export type Outcome =
  /** `reloaded`: what was; undefined where nothing was. */
  { readonly setup: Setup; readonly reloaded: string | undefined } | { readonly rejected: readonly Finding[] };

/** Throws `refused` where it is not, or not any more, in place. Whatever it throws, every file is as it was then. */
export async function applyPlan(plan: Plan, options: ApplyOptions): Promise<Outcome> {
  if (unfinishedSetup() !== undefined) throw alreadyUnconfirmed();
  requireFolders(plan);
  if (plan.door !== 'sudo') checkSshd('mend that first; nothing was changed');
  if (!options.force) {
    await refuseLockOut(plan, options);
    await refuseLimits(plan);
  }
  if (plan.door !== 'gate') requireJudge();
  refuseOpenShells(plan);
  const before = failures(await examined(options));
  const setup = makeRecord(plan, options.now);
  const begun = { reload: false };
  try {
    // Before the first change, so that it also undoes one that was killed half-way.
    if (options.confirmWithinSeconds !== undefined) armTimer(setup, options.confirmWithinSeconds);
    for (const change of plan.changes) put(change);
    if (plan.door !== 'sudo') checkSshd('all is again as it was');
    const found = (await examined(options)).filter((finding) => isConcerned(finding, plan.scope));
    const rejected = [...worse(before, failures(found)), ...(plan.door === 'gate' ? overruled(found) : [])];
    if (rejected.length > 0) {
      takeBack(setup, begun);
      return { rejected };
    }
    begun.reload = options.reload && plan.door !== 'sudo';
    const reloaded = begun.reload ? reloadSshd() : undefined;
    finish(setup, options);
    return { setup, reloaded };
  } catch (error) {
    takeBack(setup, begun);
    throw error;
  }
}

function takeBack(setup: Setup, begun: { readonly reload: boolean }): void {
  restoreFiles(setup);
  if (begun.reload) reloadSshd();
  endUndo(setup);
}

function finish(setup: Setup, { confirmWithinSeconds }: ApplyOptions): void {
  if (!isUnconfirmed(setup))
    throw new NotpError('refused', 'the time to confirm was over before all was in place', 'give it more time: --confirm-within 10m');
  mark(setup, 'applied', JSON.stringify(momentNow()));
  if (confirmWithinSeconds === undefined) release(setup, 'confirmed');
}

/** /etc/notp is there once notp is set up on this host. */
function requireFolders({ changes }: Plan): void {
  const missing = changes.map(({ file }) => dirname(file)).find((folder) => !existsSync(folder));
  if (missing !== undefined) throw new NotpError('refused', `there is no ${missing}`, 'set notp up on this host first: notp host-key init');
}

/** At the PAM door of a host with systemd it alone decides. */
function requireJudge(): void {
  if (!isBooted()) return;
  if (!hasService())
    throw new NotpError('refused', "notp's units are not installed, and nobody could log in", 'install the files of systemd/');
  enableJudge();
}

async function refuseLockOut(plan: Plan, options: ApplyOptions): Promise<void> {
  const reasons = await lockedOut(options.config, plan, options);
  if (reasons.length === 0) return;
  throw new NotpError(
    'refused',
    `this would lock you out: ${reasons.join('; ')}`,
    'or begin with --user or --group; --force does it all the same',
  );
}

/** Enrolled or not. */
async function refuseLimits({ door, scope }: Plan): Promise<void> {
  const limits = door === 'gate' ? await limitsOf(scope) : [];
  if (limits.length === 0) return;
  const more = limits.length > MAX_NAMES ? `; and ${String(limits.length - MAX_NAMES)} more` : '';
  throw new NotpError(
    'refused',
    `sshd_config limits these, and the gate would give them a whole shell, or not be found in a chroot: ${limits.slice(0, MAX_NAMES).join('; ')}${more}`,
    'notp setup pam keeps their limits; or leave them out with --user or --group; --force sets up the gate all the same',
  );
}

/** Also those whom doctor does not look at, who are not enrolled yet. */
function refuseOpenShells({ door, scope }: Plan): void {
  if (door !== 'gate') return;
  const all = allUsers();
  const open = unsafeShells(all.map(({ shell }) => shell));
  const users = all.filter((user) => open.has(user.shell) && isIn(user, scope));
  if (users.length === 0) return;
  const names = users.slice(0, MAX_NAMES).map(({ name, shell }) => `${name} (${shell})`);
  const more = users.length > MAX_NAMES ? ` and ${String(users.length - MAX_NAMES)} more` : '';
  throw new NotpError(
    'refused',
    `these would pass the gate by their shell, which reads a file in their home first, or can be changed by others than root: ${names.join(', ')}${more}`,
    'chsh -s /bin/bash for each, or begin with --user or --group, or notp setup pam',
  );
}

async function examined({ config, now }: ApplyOptions): Promise<readonly Finding[]> {
  return await examine({ config, users: undefined, sshdConfig: undefined, now, progress: () => undefined });
}

function failures(all: readonly Finding[]): Finding[] {
  return all.filter(({ id, severity }) => severity === 'fail' && id !== ROOT_NEVER_MATCHES);
}

/** What is there more often than before. The details are left out: they may hold what changes by itself. */
function worse(before: readonly Finding[], after: readonly Finding[]): Finding[] {
  return after.filter((finding) => countLike(finding, after) > countLike(finding, before));
}

/** Whoever is not concerned by the setup needs no code, which is a failure to doctor and was asked for here. */
function isConcerned({ user: name }: Finding, scope: Scope): boolean {
  const user = name === undefined ? undefined : userByName(name);
  return user === undefined || isIn(user, scope);
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
