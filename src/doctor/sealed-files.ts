/** The family of sealed files: each enrolment's file is there, the user's alone, and the registered one. */
import { asUser } from '../system/privileges.ts';
import type { Config } from '../system/config.ts';
import { findSealed, sealedPath } from '../system/secrets.ts';
import type { User } from '../system/users.ts';
import { standingOf } from '../verifier/standing.ts';
import type { Enrolment } from '../store/store.ts';
import { ok, type Finding } from './finding.ts';
import type { Person } from './people.ts';

const ID = 'sealed-file';

export async function examineSealedFiles(config: Config, people: readonly Person[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { user, enrolments } of people) {
    const found = await asUser(user, () => enrolments.flatMap((enrolment) => wrongWith(config, user, enrolment)));
    findings.push(...found);
  }
  const count = people.reduce((sum, { enrolments }) => sum + enrolments.length, 0);
  return findings.length > 0 || count === 0
    ? findings
    : [ok(ID, 'Every sealed file is there and is the registered one', `${String(count)} looked at`)];
}

function wrongWith(config: Config, user: User, enrolment: Enrolment): Finding[] {
  const standing = standingOf(enrolment, findSealed(config, user, enrolment.context));
  if (!('result' in standing)) return [];
  const file = sealedPath(config, user, enrolment.context);
  const detail = `${file}: ${standing.detail ?? standing.reason}`;
  const fix = /mode|belongs|written by others/.test(detail)
    ? `chown ${user.name} ${file} && chmod 600 ${file}`
    : `notp-enroll ${user.name} ${enrolment.context} --replace`;
  return [
    { id: ID, severity: 'fail', title: 'The user cannot log in: the sealed file is not as it must be', detail, fix, user: user.name },
  ];
}
