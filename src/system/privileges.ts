/** The one door to privileges: being somebody else for a while, and for good. See credentials(7). */
import { readFileSync } from 'node:fs';
import { NotpError } from '../error.ts';
import { isRoot } from './users.ts';
import type { User } from './users.ts';

/** `process.initgroups` is documented, but the types of Node 26 lack it. */
const posix = process as unknown as { initgroups: (user: string, gid: number) => void };

/**
 * Runs `action` with the groups, gid and uid of `user`, and comes back. Without root, `user` must be who we are.
 * One at a time: the process has one set of credentials.
 */
export async function asUser<T>(user: User, action: () => T | Promise<T>): Promise<T> {
  if (!isRoot()) {
    if (process.geteuid?.() === user.uid) return await action();
    throw new NotpError('not_permitted', `only root can act as ${user.name}`);
  }
  const groups = process.getgroups?.() ?? [];
  const gid = process.getegid?.() ?? 0;
  try {
    enter(user);
    return await action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(gid);
    process.setgroups?.(groups);
  }
}

function enter(user: User): void {
  posix.initgroups(user.name, user.gid);
  process.setegid?.(user.gid);
  process.seteuid?.(user.uid);
  if (process.geteuid?.() !== user.uid || process.getegid?.() !== user.gid) {
    throw new NotpError('not_permitted', `could not become ${user.name}`);
  }
}

/** Becomes `user` for good: real, effective and saved ids, and no other group. Throws where the kernel says that any way back is left. */
export function becomeForGood(user: User): void {
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
  const status = readFileSync('/proc/self/status', 'latin1');
  const only = (key: string, id: number): boolean => new RegExp(`^${key}:(\\s+${String(id)}){4}$`, 'm').test(status);
  const groups = /^Groups:\s*(\d*)\s*$/m.exec(status)?.[1];
  if (only('Uid', user.uid) && only('Gid', user.gid) && groups === String(user.gid) && user.uid !== 0) return;
  throw new NotpError('not_permitted', `could not become ${user.name} for good`);
}
