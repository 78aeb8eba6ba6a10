/** The family of sealed files: each enrolment's file is there, the user's alone, and the registered one. */
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import type { Found } from '../../system/secrets.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser, type User } from '../../system/users.ts';
import { hostKeysOf } from '../../state/host-keys.ts';
import { filesAmong, keptOfAll, openable, sealedFiles, whereSealed } from '../../login/sealed-files.ts';
import { seenStanding } from '../../login/standing.ts';
import { statePlace } from '../../state/place.ts';
import type { Enrolment } from '../../store/store.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';

const ID = 'sealed-file';

export async function examineSealedFiles(config: Config, people: readonly Person[], now: () => number): Promise<Finding[]> {
  const count = people.reduce((sum, { enrolments }) => sum + enrolments.length, 0);
  // A store that does not answer is a finding of its own.
  if (count === 0) return [];
  const findings: Finding[] = [];
  const kept = config.secretsInStore ? await keptOfAll(config, now) : undefined;
  const place = statePlace(config, realUser());
  const hostKey = await asUser(place.owner, () => hostKeysOf(place));
  for (const { user, enrolments } of people) {
    const contexts = enrolments.map(({ context }) => context);
    const found = kept === undefined ? await sealedFiles(config, user, contexts, now) : filesAmong(kept, user.name, contexts);
    const files = openable(found, hostKey);
    findings.push(...enrolments.flatMap((enrolment, i) => wrongWith(config, user, enrolment, files[i]?.found ?? { kind: 'absent' })));
  }
  return findings.length > 0 ? findings : [ok(ID, 'Every sealed file is there and is the registered one', `${String(count)} looked at`)];
}

function wrongWith(config: Config, user: User, enrolment: Enrolment, found: Found): Finding[] {
  const standing = seenStanding(enrolment, found);
  if (!('result' in standing)) return [];
  const file = whereSealed(config, statePlace(config, user), user, enrolment.context);
  const detail = `${file}: ${standing.detail ?? standing.reason}`;
  const fix = /mode|belongs|written by others/.test(detail)
    ? shellCommand`chown ${user.name} ${file} && chmod 600 ${file}`
    : shellCommand`notp-enroll ${user.name} ${enrolment.context} --replace`;
  const what = enrolment.doubt === 'forged' ? 'the enrolment was changed outside notp' : 'the sealed file is not as it must be';
  return [{ id: ID, severity: 'fail', title: `The user cannot log in: ${what}`, detail, fix, user: user.name }];
}
