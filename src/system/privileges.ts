/** The one door to privileges: acts as another user for a while, or for good. See credentials(7). */
import { readFileSync } from 'node:fs';
import { NotpError } from '../error.ts';
import { isRoot, type User } from './users.ts';

/** The error for anybody but root, who alone can do `act`. `command`: what to run, where sudo before the same command is not enough. */
export function forRootAlone(act: string, command = 'run this with sudo'): NotpError {
  return new NotpError('not_permitted', `only root can ${act}`, command);
}

/** Throws that error without root. */
export function requireRoot(...of: Parameters<typeof forRootAlone>): void {
  if (!isRoot()) throw forRootAlone(...of);
}

/** `process.initgroups` is documented, but the types of Node 26 lack it. */
const posix = process as unknown as { initgroups: (user: string, gid: number) => void };

/**
 * Runs `action` with the groups, gid and uid of `user`, and restores them. Without root, `user` must be the present user. One at a
 * time: the process has one set of credentials.
 */
export async function asUser<T>(user: User, action: () => T | Promise<T>): Promise<T> {
  return await entering(user, enter, action);
}

/**
 * As asUser(), for many users and something that only reads: first with the primary group alone, and with all groups where that gives
 * nothing that `isEnough`. To ask for the groups of a user reads the whole group database.
 */
export async function asOwner<T>(user: User, action: () => T, isEnough: (result: T) => boolean): Promise<T> {
  const result = await entering(user, enterAlone, action);
  return isEnough(result) ? result : await asUser(user, action);
}

async function entering<T>(user: User, enterAs: (user: User) => void, action: () => T | Promise<T>): Promise<T> {
  if (!isRoot()) {
    if (process.geteuid?.() === user.uid) return await action();
    throw new NotpError('not_permitted', `only root can act as ${user.name}`);
  }
  const groups = process.getgroups?.() ?? [];
  const gid = process.getegid?.() ?? 0;
  try {
    enterAs(user);
    return await action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(gid);
    process.setgroups?.(groups);
  }
}

/**
 * Removes the caller's ids from a process that sudo or su has made root. Real, effective and saved ids are then root's, so that
 * only root may send it a signal (kill(2)). Does nothing without root. Throws `not_permitted` where the kernel says that one is
 * left.
 */
export function becomeRootForGood(): void {
  if (!isRoot()) return;
  process.setgid?.(0);
  process.setuid?.(0);
  if (!hasOnly(ownStatus(), 'Uid', 0)) throw new NotpError('not_permitted', 'could not become root for good');
}

/** What initgroups(3) gave for a name and a gid: it reads the whole group database, and a command enters some users many times. */
const known = new Map<string, readonly number[]>();

function enter(user: User): void {
  const key = `${String(user.gid)} ${user.name}`;
  const groups = known.get(key);
  if (groups === undefined) posix.initgroups(user.name, user.gid);
  else process.setgroups?.(groups);
  process.setegid?.(user.gid);
  // getgroups() of Node.js adds the effective gid, so not before it is the user's.
  if (groups === undefined) known.set(key, process.getgroups?.() ?? []);
  become(user);
}

function enterAlone(user: User): void {
  process.setgroups?.([user.gid]);
  process.setegid?.(user.gid);
  become(user);
}

function become(user: User): void {
  process.seteuid?.(user.uid);
  if (process.geteuid?.() !== user.uid || process.getegid?.() !== user.gid) {
    throw new NotpError('not_permitted', `could not become ${user.name}`);
  }
}

/** Becomes `user` for good: real, effective and saved ids, and no other group. Throws where the kernel says that a way back is left. */
export function becomeForGood(user: User): void {
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
  const status = ownStatus();
  const groups = /^Groups:\s*(\d*)\s*$/m.exec(status)?.[1];
  if (hasOnly(status, 'Uid', user.uid) && hasOnly(status, 'Gid', user.gid) && groups === String(user.gid) && user.uid !== 0) return;
  throw new NotpError('not_permitted', `could not become ${user.name} for good`);
}

/** Whether the real, effective, saved and file system id are all `id`: proc(5). */
function hasOnly(status: string, key: 'Uid' | 'Gid', id: number): boolean {
  return new RegExp(`^${key}:(\\s+${String(id)}){4}$`, 'm').test(status);
}

function ownStatus(): string {
  return readFileSync('/proc/self/status', 'latin1');
}
