/** Finds the enrolled users if each user keeps their own state: those users in the passwd database who have a sealed file. */
import * as fs from 'node:fs';
import { errnoOf, messageOf } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, sealedPath } from '../../system/secrets.ts';
import { allUsers, type User } from '../../system/users.ts';
import { PEOPLE_UNSEEN, type Finding } from '../finding.ts';

export interface Enrolled {
  readonly names: readonly string[];
  /** Says how the users were found, and so which ones may be missing. */
  readonly finding: Finding;
}

/** The caller is root. */
export async function usersWithSealedFile(config: Config): Promise<Enrolled> {
  try {
    const users = allUsers();
    const names: string[] = [];
    for (const user of users) if (await hasSealedFile(config, user)) names.push(user.name);
    return { names, finding: found(names.length, users.length) };
  } catch (error) {
    return { names: [], finding: unknown(error) };
  }
}

async function hasSealedFile(config: Config, user: User): Promise<boolean> {
  try {
    const files = config.contexts.map((context) => sealedPath(config, user, context));
    return files.some((file) => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined);
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return false;
    // Root may not be able to read the home, as with NFS. If the user cannot see the file either, it may still exist.
    return await asUser(user, () => config.contexts.some((context) => findSealed(config, user, context).kind !== 'absent'));
  }
}

function found(count: number, of: number): Finding {
  return {
    id: 'people-listed',
    severity: 'info',
    title: 'Each user keeps their own state: users with a sealed file were checked',
    detail: `${String(count)} of the ${String(of)} users in getent passwd, which may not list those of a directory service`,
    fix: 'check other users: notp doctor --user NAME',
  };
}

function unknown(error: unknown): Finding {
  return {
    id: PEOPLE_UNSEEN,
    severity: 'warn',
    title: 'Each user keeps their own state, and the enrolled users are not known',
    detail: messageOf(error),
    fix: 'name the users: notp doctor --user NAME',
  };
}
