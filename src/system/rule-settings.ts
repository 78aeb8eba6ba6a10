/** The `[[rule]]` tables of `notp.toml`. Each mistake is an error with its line and the fix, before a login meets it. */
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import { isUserName } from '../otp/names.ts';
import { networkProblem } from '../verdict/address.ts';
import { ASKS, covers, FACT_KEYS, type FactKey, type Rule } from '../verdict/rules.ts';
import { durationOf, isDay } from './settings.ts';

const MAX_RULES = 256;
const MAX_VALUES = 256;
const MAX_REASON = 200;
const MAX_REMEMBER_MS = 30 * 86_400_000;
const KEYS = [...FACT_KEYS, 'ask', 'remember', 'enrol_by', 'reason'] as const;
type Table = Readonly<Record<string, unknown>>;

/** Throws `bad_configuration`. `value`: what TOML has under "rule", undefined for nothing. `file` and `source` are for messages. */
export function rulesIn(value: unknown, file: string, source: string): readonly Rule[] {
  const lines = linesOf(source);
  const failAt = (line: number, what: string, fix: string): NotpError =>
    new NotpError('bad_configuration', `${file}:${String(line)}: ${what}`, fix);
  const [start = 1] = lines.map(({ line }) => line);
  const tables: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  if ((value !== undefined && !Array.isArray(value)) || !tables.every(isTable))
    throw failAt(start, 'rules must be tables', 'write [[rule]], in two pairs of brackets, on a line of its own before each rule');
  if (tables.length > MAX_RULES) throw failAt(start, `more than ${String(MAX_RULES)} rules`, 'put several users into one rule, or a group');
  refuseNoDay(source, failAt);
  const rules = tables.map((table, i) => {
    const { line = start, keys = new Map<string, number>() } = lines[i] ?? {};
    return ruleIn(table, line, (key, what, fix) => failAt(keys.get(key) ?? line, what, fix));
  });
  for (const [i, rule] of rules.entries()) {
    const before = rules.slice(0, i).find((earlier) => covers(earlier, rule));
    if (before === undefined) continue;
    const what = `this rule is never reached: each login that it fits is decided by the rule in line ${String(before.line)}`;
    throw failAt(rule.line, what, 'put it before that rule, or delete one of the two');
  }
  return rules;
}

/** The parser makes another day of one that does not exist, and keeps no text. So that is looked for where it was written. */
function refuseNoDay(source: string, failAt: (line: number, what: string, fix: string) => NotpError): void {
  for (const [i, text] of source.split('\n').entries()) {
    const [bare = ''] = text.replaceAll(QUOTED, (quotedText) => (quotedText.slice(1, -1) === 'enrol_by' ? 'enrol_by' : '""')).split('#');
    for (const [, day = ''] of bare.matchAll(WRITTEN_DAY))
      if (!isDay(day)) throw failAt(i + 1, `enrol_by: there is no day ${day}`, 'enrol_by = 2027-01-15');
  }
}

const QUOTED = /"(?:[^"\\]|\\.)*"|'[^']*'/g;
const WRITTEN_DAY = /\benrol_by\s*=\s*(\d{4}-\d\d-\d\d)/g;

type Fail = (key: string, what: string, fix: string) => NotpError;

function ruleIn(table: Table, line: number, fail: Fail): Rule {
  for (const key of Object.keys(table))
    if (!KEYS.some((each) => each === key)) throw fail(key, `unknown key ${quoted(key)} in [[rule]]`, `known here: ${KEYS.join(', ')}`);
  const ask = ASKS.find((each) => each === table['ask']);
  if (ask === undefined) throw fail('ask', 'a rule must say ask = "code", "nothing" or "refuse"', 'ask = "code" asks for a code');
  for (const key of ['remember', 'enrol_by'] as const)
    if (ask !== 'code' && table[key] !== undefined)
      throw fail(key, `${key} is only for ask = "code"`, `delete it: ${quoted(ask)} asks for no code`);
  const reason = reasonIn(table, fail);
  if (ask === 'nothing' && reason === undefined)
    throw fail('ask', 'a rule with ask = "nothing" must say why', 'reason = "ticket OPS-12": it stands in the record of each login');
  const facts = Object.fromEntries(FACT_KEYS.flatMap((key) => (table[key] === undefined ? [] : [[key, valuesIn(key, table[key], fail)]])));
  const remember = table['remember'] === undefined ? {} : { rememberMs: rememberIn(table['remember'], fail) };
  const enrol = table['enrol_by'] === undefined ? {} : { enrolByMs: momentIn(table['enrol_by'], fail) };
  return { ask, ...facts, ...remember, ...enrol, ...(reason === undefined ? {} : { reason }), line };
}

/** How the values of a list must be written, and an example. */
const VALUES: Readonly<Record<FactKey, { readonly problem: (value: string) => string | undefined; readonly example: string }>> = {
  users: {
    problem: (name) => wrongUnless(isUserName(name.replace(/^@/, '')), 'is no name'),
    example: '["alice", "@ops"]: @ops is a group',
  },
  services: { problem: serviceProblem, example: '["sshd", "sudo"]' },
  from: { problem: networkProblem, example: '["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]' },
  keys: { problem: (type) => wrongUnless(/^[\w.@*?-]{1,64}$/.test(type), 'is no type of a key'), example: '["sk-*", "ssh-ed25519"]' },
  hosts: { problem: (host) => wrongUnless(/^[\w.*?-]{1,64}$/.test(host), 'is no host name'), example: '["web*"]' },
};

function wrongUnless(isRight: boolean, what: string): string | undefined {
  return isRight ? undefined : what;
}

/** Why `name` cannot be a service of a rule; undefined where it can. */
export function serviceProblem(name: string): string | undefined {
  if (name === 'gate' || name === 'ssh') return 'is called "sshd" here, at the gate and in PAM';
  return wrongUnless(/^[\w.-]{1,64}$/.test(name), 'is no name of a PAM service');
}

function valuesIn(key: FactKey, value: unknown, fail: Fail): readonly string[] {
  const { problem, example } = VALUES[key];
  const fix = `${key} = ${example}`;
  // An empty list would fit nobody, and who writes one may mean everybody.
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_VALUES || !value.every((each) => typeof each === 'string'))
    throw fail(key, `${key} must be a list of 1 to ${String(MAX_VALUES)} texts`, fix);
  for (const each of value) {
    const wrong = problem(each);
    if (wrong !== undefined) throw fail(key, `${key}: ${quoted(each)} ${wrong}`, fix);
  }
  return value;
}

const NO_REASON = `must be 1 to ${String(MAX_REASON)} printable characters`;

/** Why `text` cannot be a reason of a rule or a grant; undefined where it can. */
export function reasonProblem(text: string): string | undefined {
  return wrongUnless(text.trim() !== '' && text.length <= MAX_REASON && /^\P{Cc}+$/u.test(text), NO_REASON);
}

function reasonIn({ reason }: Table, fail: Fail): string | undefined {
  if (reason === undefined) return undefined;
  const wrong = typeof reason === 'string' ? reasonProblem(reason) : NO_REASON;
  if (typeof reason === 'string' && wrong === undefined) return reason;
  throw fail('reason', `reason ${wrong ?? NO_REASON}`, 'reason = "ticket OPS-12"');
}

function rememberIn(value: unknown, fail: Fail): number {
  const ms = typeof value === 'string' ? (durationOf(value) ?? 0) : 0;
  if (ms > 0 && ms <= MAX_REMEMBER_MS) return ms;
  throw fail('remember', 'remember must be a time such as "30m", "12h" or "7d", of at most 30 days', 'remember = "12h"');
}

/** A day counts to its end, by the clock of this host. */
function momentIn(value: unknown, fail: Fail): number {
  // A time without a zone is one of this host too.
  const written = value instanceof Date ? value.toISOString() : '';
  if (/^\d{4}-\d\d-\d\d/.test(written)) return new Date(written.includes('T') ? written : `${written}T24:00`).getTime();
  throw fail('enrol_by', 'enrol_by must be a date, without quotes', 'enrol_by = 2027-01-15');
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The lines of each [[rule]] and of its keys. The parser keeps no positions. */
function linesOf(source: string): readonly { readonly line: number; readonly keys: Map<string, number> }[] {
  const found: { line: number; keys: Map<string, number> }[] = [];
  let inside = false;
  for (const [i, text] of source.split('\n').entries()) {
    if (/^\s*\[/.test(text)) inside = /^\s*\[\[\s*(?:rule|"rule"|'rule')\s*\]\]/.test(text);
    const key = /^\s*["']?([^"'=\s]+)["']?\s*=/.exec(text)?.[1];
    if (inside && /^\s*\[\[/.test(text)) found.push({ line: i + 1, keys: new Map() });
    else if (inside && key !== undefined) found.at(-1)?.keys.set(key, i + 1);
    else if (key === 'rule') found.push({ line: i + 1, keys: new Map() });
  }
  return found;
}
