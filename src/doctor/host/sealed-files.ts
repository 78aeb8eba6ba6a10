/** Checks of sealed files: each enrolment's file exists, belongs to the user alone, and is the registered one. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import type { Found } from '../../system/secrets.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser, type User } from '../../system/users.ts';
import { hostKeysOf } from '../../state/host-keys.ts';
import { filesAmong, keptOfAll, sealedFiles, whereSealed } from '../../login/sealed-files.ts';
import { openable } from '../../login/opening.ts';
import { seenStanding } from '../../login/account.ts';
import { leftInHomes } from '../../enrolment/host-sealed.ts';
import { LEFT_IN_HOME, resealByHost } from '../../enrolment/store-seal.ts';
import { statePlace } from '../../state/place.ts';
import type { Enrolment } from '../../store/store.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import { chmodAs } from './trust.ts';

const ID = 'sealed-file';

export async function examineSealedFiles(config: Config, people: readonly Person[], now: () => number): Promise<Finding[]> {
  const count = people.reduce((sum, { enrolments }) => sum + enrolments.length, 0);
  // A store that does not answer has a finding of its own.
  if (count === 0) return [];
  const findings: Finding[] = [];
  const kept = config.secretsInStore ? await keptOfAll(config, now) : undefined;
  const place = statePlace(config, realUser());
  const hostKey = await asUser(place.owner, () => hostKeysOf(place));
  const left = await leftInHomes(
    config,
    people.flatMap(({ enrolments }) => enrolments),
  );
  for (const { user, enrolments } of people) {
    const contexts = enrolments.map(({ context }) => context);
    const found = kept === undefined ? await sealedFiles(config, user, contexts, now) : filesAmong(kept, user.name, contexts);
    const files = openable(found, hostKey);
    findings.push(
      ...enrolments.flatMap((enrolment, i) =>
        left.includes(enrolment) ? [leftInHome(enrolment)] : wrongWith(config, user, enrolment, files[i]?.found ?? { kind: 'absent' }),
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(ID, 'Every sealed file exists and is the registered one', `${String(count)} checked`)];
}

function leftInHome({ user, context }: Enrolment): Finding {
  const title = 'The user cannot log in: the sealed file is not in the store';
  return { id: ID, severity: 'fail', title, detail: LEFT_IN_HOME, fix: resealByHost(user, context), user };
}

function wrongWith(config: Config, user: User, enrolment: Enrolment, found: Found): Finding[] {
  const standing = seenStanding(enrolment, found);
  if (!('result' in standing)) return [];
  const file = whereSealed(config, statePlace(config, user), user, enrolment.context);
  const detail = `${file}: ${standing.detail ?? standing.reason}`;
  const replace = shellCommand`notp-enroll ${user.name} ${enrolment.context} --replace`;
  const isLocked = found.kind === 'sealed' && found.locked !== undefined;
  const fix = fixAsUser(user, file, detail) ?? (isLocked ? `see host-key-missing; where that key is lost: ${replace}` : replace);
  const what = enrolment.doubt === 'forged' ? 'the enrolment was changed outside notp' : 'the sealed file cannot be used';
  return [{ id: ID, severity: 'fail', title: `The user cannot log in: ${what}`, detail, fix, user: user.name }];
}

/**
 * The commands that fix the problem `detail` of the user's file or its folders. They run as the user: the folders are the user's, and root
 * would follow whatever symlink the user puts there.
 */
function fixAsUser(user: User, file: string, detail: string): string | undefined {
  if (/ has mode \d+, which lets others in$/.test(detail)) return chmodAs(user, '600', file);
  if (!detail.endsWith(' can be written by others')) return undefined;
  const folders = [user.home, path.dirname(file)].filter((folder) => isOpen(folder, user));
  if (folders.length === 0) return 'make its folders writable by nobody but root and the user';
  return [...new Set(folders)].map((folder) => chmodAs(user, 'go-w', folder)).join(' && ');
}

function isOpen(folder: string, { uid }: User): boolean {
  try {
    const stats = fs.statSync(folder);
    return stats.uid === uid && (stats.mode & 0o022) !== 0;
  } catch {
    // It is the user's: gone, a loop of symlinks, or on a server that does not show it to root.
    return false;
  }
}
