/** The texts of `notp doctor` and `notp doctor --changes`: worst first, grouped by user, wrapped to the width of the terminal. Pure. */
import { countsOf, type Difference, type Found } from '../../doctor/answer.ts';
import { painted, type Tone } from '../../terminal/painted.ts';
import { couldCheck, folded, type Finding, type Folded, type Severity } from '../../doctor/finding.ts';
import { wrapped } from '../../terminal/columns.ts';
import { namesUpTo, plural } from '../../lists.ts';

export interface ScreenOptions {
  readonly columns: number;
  readonly colour: boolean;
  readonly utf8: boolean;
}

/** Any further users are only counted. */
const NAMED_USERS = 4;
const INDENT = '      ';
const TONES: Readonly<Record<Severity, Tone>> = { fail: ['bold', 'red'], warn: 'yellow', info: 'cyan', ok: 'green' };

/** The whole output. */
export function doctorScreen(findings: readonly Finding[], options: ScreenOptions): string {
  const wrong = folded(findings.filter(({ severity }) => severity !== 'ok'));
  const blocks = wrong.map((finding) => block(finding, options));
  return [...blocks, summary(findings, options)].join('\n');
}

/** What is new, what is gone, and a summary. */
export function changesScreen({ fresh, gone, all }: Difference, options: ScreenOptions): string {
  const blocks = (heading: string, findings: readonly Found[]): string[] =>
    findings.length === 0 ? [] : [[`${heading}:\n`, ...folded(findings.map(asFinding)).map((finding) => block(finding, options))].join('')];
  const change = fresh.length + gone.length === 0 ? 'Nothing has changed' : `${String(fresh.length)} new, ${String(gone.length)} gone`;
  const last = wrapped(`${change}: ${countsOf(all)}.`, options.columns, '');
  return [...blocks('New', fresh), ...blocks('Gone', gone), `${last}\n`].join('\n');
}

/** `notp doctor` says the fix. */
function asFinding({ id, severity, title, detail, user }: Found): Finding {
  return { id, severity, title, detail, fix: '', ...(user === undefined ? {} : { user }) };
}

function block({ severity, id, title, detail, fix, users }: Folded, options: ScreenOptions): string {
  const lines = [
    painted(severity.padEnd(4), TONES[severity], options) + '  ' + wrapped(`${title} [${id}]`, options.columns, INDENT),
    ...(users.length === 0 ? [] : [INDENT + wrapped(named(users), options.columns, INDENT)]),
    ...(detail === '' ? [] : [INDENT + wrapped(detail, options.columns, INDENT)]),
    ...(fix === '' ? [] : [INDENT + wrapped(`fix: ${fix}`, options.columns, `${INDENT}     `)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function summary(findings: readonly Finding[], options: ScreenOptions): string {
  const count = (severity: Severity): number => new Set(findings.filter((each) => each.severity === severity).map(({ id }) => id)).size;
  const [fail, warn, info, fine] = [count('fail'), count('warn'), count('info'), count('ok')];
  const users = new Set(findings.flatMap(({ user }) => user ?? [])).size;
  const verdict = verdictOf(findings, { fail, warn }, options);
  const counts = `${plural(fine, 'check')} in order, ${String(fail)} failed, ${plural(warn, 'warning')}, ${plural(info, 'remark')}${users > 0 ? `, about ${plural(users, 'user')}` : ''}.`;
  const looked = findings
    .filter(({ severity, id }) => severity === 'ok' && LOOKED_AT.includes(id))
    .map(({ title, detail }) => `${title}${detail === '' ? '' : `: ${detail}`}`);
  const rest = fail > 0 ? [] : [...new Set(looked)].map((line) => `  ${wrapped(line, options.columns, '    ')}`);
  return [verdict, wrapped(counts, options.columns, ''), ...rest].map((line) => `${line}\n`).join('');
}

function verdictOf(findings: readonly Finding[], { fail, warn }: { fail: number; warn: number }, options: ScreenOptions): string {
  if (fail > 0) return painted(`${plural(fail, 'check')} failed.`, TONES['fail'], options);
  if (!couldCheck(findings)) return painted('It is unknown whether there is a way around the gate.', TONES['warn'], options);
  if (warn === 0) return painted('No way around the gate was found.', TONES['ok'], options);
  return painted(wrapped('No way around the gate was found, but there are warnings to fix.', options.columns, ''), TONES['warn'], options);
}

/** The checks that the output lists when nothing failed. */
const LOOKED_AT = ['sshd-config', 'FC1', 'P2', 'P7', 'sealed-file', 'store', 'audit-chain', 'clock-synchronised'];

function named(users: readonly string[]): string {
  const shown = namesUpTo(NAMED_USERS, users);
  return users.length === 1 ? `user ${shown}` : `${String(users.length)} users: ${shown}`;
}
