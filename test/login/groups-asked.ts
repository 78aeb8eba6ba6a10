/**
 * What rules make of users, on a host of one's own: run in a mount namespace where /etc may be written. Reads { files, asked } from stdin,
 * writes the files, and prints for each `asked` what is asked of that user, as often as is wanted, and how doctor finds the rules.
 */
import * as fs from 'node:fs';
import { examineRules } from '../../src/doctor/host/rules.ts';
import { groupFacts } from '../../src/login/ruling.ts';
import { userByName } from '../../src/system/users.ts';
import { rulingOn, type Ask, type Rule } from '../../src/verdict/rules.ts';

export interface Asked {
  readonly user: string;
  readonly rules: readonly Rule[];
  readonly times: number;
}

export interface Host {
  /** By path. A text is added to what the file has. */
  readonly files: Readonly<Record<string, string>>;
  readonly asked: readonly Asked[];
}

export interface Told {
  readonly answers: readonly (readonly Ask[])[];
  /** Severities. */
  readonly findings: readonly (readonly string[])[];
}

function answer({ user, rules }: Asked): Ask {
  const account = userByName(user);
  const known = { service: 'sudo', address: undefined, keyType: undefined, host: 'web1', firstFactor: true };
  return rulingOn(rules, { user: account?.name, ...groupFacts({ rules }, account), ...known }).ask;
}

const { files, asked } = JSON.parse(fs.readFileSync(0, 'utf8')) as Host;
for (const [file, text] of Object.entries(files)) fs.appendFileSync(file, text);
const answers = asked.map((each) => [...new Set(Array.from({ length: each.times }, () => answer(each)))]);
const findings = asked.map(({ rules }) => examineRules({ rules }, { atPam: false, nowMs: 0 }).filter(({ id }) => id === 'rule-groups'));
process.stdout.write(JSON.stringify({ answers, findings: findings.map((each) => each.map(({ severity }) => severity)) } satisfies Told));
