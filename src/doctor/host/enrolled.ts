/** Who is enrolled where each user keeps their own state, and no store knows them all: whoever of the passwd database has a sealed file for logins. */
import * as fs from 'node:fs';
import { errnoOf, messageOf } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, sealedPath } from '../../system/secrets.ts';
import { allUsers, type User } from '../../system/users.ts';
import { PEOPLE_UNSEEN, type Finding } from '../finding.ts';

export interface Enrolled {
  readonly names: readonly string[];
  /** How they were found, which says whom that leaves out. */
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
    // A home that keeps root out, as over NFS. A file that the user cannot see either might be there.
    return await asUser(user, () => config.contexts.some((context) => findSealed(config, user, context).kind !== 'absent'));
  }
}

function found(count: number, of: number): Finding {
  return {
    id: 'people-listed',
    severity: 'info',
    title: 'Each user keeps their own state: those with a sealed file were looked at',
    detail: `${String(count)} of the ${String(of)} users that getent passwd lists, which may leave out those of a directory service`,
    fix: 'notp doctor --user NAME looks at others',
  };
}

function unknown(error: unknown): Finding {
  return {
    id: PEOPLE_UNSEEN,
    severity: 'warn',
    title: 'Each user keeps their own state, and who is enrolled is not known',
    detail: messageOf(error),
    fix: 'name them: notp doctor --user NAME',
  };
}
