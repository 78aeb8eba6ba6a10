/** Rules in words, for whoever reads a list of them. Pure. */
import type { FactKey, Rule } from './rules.ts';

/** The logins that `rule` is about: `alice and @ops at sshd from 10.0.0.0/8`. */
export function whoOf(rule: Rule): string {
  const { users, services, from, keys, hosts } = rule;
  const parts: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['at ', services],
    ['from ', from],
    ['with a key of type ', keys],
    ['on ', hosts],
  ];
  const rest = parts.flatMap(([before, values]) => (values === undefined ? [] : [before + listed(values, 'or')]));
  return [users === undefined ? 'everybody' : listed(users, 'and'), ...rest].join(' ');
}

/** What becomes of them, with the reason of the rule. */
export function whatOf({ ask, rememberMs, enrolByMs, reason }: Omit<Rule, FactKey | 'line' | 'inStore'>): string {
  const remember = rememberMs === undefined ? '' : `, which counts for ${spanOf(rememberMs)} with the same key and address`;
  const enrol = enrolByMs === undefined ? '' : `; until ${new Date(enrolByMs).toISOString()} nobody must be enrolled`;
  const asked = ask === 'refuse' ? 'refused' : ask === 'nothing' ? 'no code' : `a code${remember}${enrol}`;
  return reason === undefined ? asked : `${asked} (${reason})`;
}

/** A fact by which a rule fits or not, for a person. */
export const FACT_WORDS: Readonly<Record<FactKey, string>> = {
  users: 'user and groups',
  services: 'service',
  from: 'address',
  keys: 'type of the key',
  hosts: 'host',
};

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** The duration as the configuration writes it: `12h`. */
export function spanOf(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, each]) => ms % each === 0) ?? ['ms', 1];
  return String(ms / unitMs) + unit;
}

function listed(values: readonly string[], word: 'and' | 'or'): string {
  return [...values.slice(0, -2), values.slice(-2).join(` ${word} `)].join(', ');
}
