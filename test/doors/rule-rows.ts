/** The decision table of the rules as configurations, and what becomes of a login with a key and without a code. */
import { hostname } from 'node:os';

export interface Row {
  readonly what: string;
  /** The tables of the configuration, for a login of `user` from 127.0.0.1 or ::1 with an Ed25519 key. */
  readonly rules: (user: string, host?: string) => readonly string[];
  /** The method or the reason in the record, for somebody who is enrolled, and for somebody who never was. */
  readonly enrolled: string;
  readonly stranger: string;
}

const NOTHING = 'ask = "nothing"\nreason = "ticket OPS-12"';
const ASKED = { enrolled: 'no_proof', stranger: 'not_enrolled' } as const;
const LET_IN = { enrolled: 'rule', stranger: 'rule' } as const;
const REFUSED = { enrolled: 'not_permitted', stranger: 'not_permitted' } as const;
const nothing = (...lines: string[]): string[] => [[...lines, NOTHING].join('\n')];

export const ROWS: readonly Row[] = [
  { what: 'no rule', rules: () => [], ...ASKED },
  { what: 'nothing for everybody', rules: () => nothing(), ...LET_IN },
  { what: 'a refusal', rules: () => ['ask = "refuse"'], ...REFUSED },
  {
    what: 'the first that fits',
    rules: () => ['users = ["nobody"]\nask = "refuse"', ...nothing('services = ["sshd"]'), 'ask = "refuse"'],
    ...LET_IN,
  },
  { what: 'the user', rules: (user) => nothing(`users = ["${user}"]`), ...LET_IN },
  { what: 'another user', rules: (user) => nothing(`users = ["${user}x"]`), ...ASKED },
  { what: 'a group of the user', rules: (user) => nothing(`users = ["@${user}"]`), ...LET_IN },
  { what: 'another group', rules: () => nothing('users = ["@daemon"]'), ...ASKED },
  { what: 'the service', rules: () => nothing('services = ["sudo", "sshd"]'), ...LET_IN },
  { what: 'another service', rules: () => nothing('services = ["sudo"]'), ...ASKED },
  { what: 'the address', rules: () => nothing('from = ["127.0.0.0/8", "::1"]'), ...LET_IN },
  { what: 'the address as one of IPv6', rules: () => nothing('from = ["::ffff:127.0.0.0/104"]'), ...LET_IN },
  { what: 'another address', rules: () => nothing('from = ["10.0.0.0/8", "::/0"]'), ...ASKED },
  { what: 'the type of the key', rules: () => nothing('keys = ["ssh-*"]'), ...LET_IN },
  { what: 'another type of key', rules: () => nothing('keys = ["sk-*"]'), ...ASKED },
  { what: 'the host', rules: (_, host = hostname()) => nothing(`hosts = ["${host}"]`), ...LET_IN },
  { what: 'another host', rules: () => nothing('hosts = ["no-such-host*"]'), ...ASKED },
  { what: 'all but one', rules: (user) => nothing(`users = ["${user}"]`, 'from = ["127.0.0.1"]', 'keys = ["sk-*"]'), ...ASKED },
  { what: 'a code before nothing', rules: (user) => [`users = ["${user}"]\nask = "code"`, ...nothing()], ...ASKED },
  { what: 'a refusal of an address', rules: () => ['from = ["127.0.0.1"]\nask = "refuse"', ...nothing()], ...REFUSED },
  { what: 'a day to come', rules: () => ['ask = "code"\nenrol_by = 2099-01-01'], enrolled: 'no_proof', stranger: 'unenrolled' },
  { what: 'a day that is over', rules: () => ['ask = "code"\nenrol_by = 2020-01-01'], ...ASKED },
  { what: 'a code that counts for a while, before one', rules: () => ['ask = "code"\nremember = "1h"'], ...ASKED },
];

/** The text of the configuration with these rules, to follow everything else. */
export function rulesText(rules: readonly string[]): string {
  return rules.map((rule) => `\n[[rule]]\n${rule}\n`).join('');
}
