/** Beside the code of sudo: what sudoers(5) says of whom sudo asks, through which PAM service, and whose code. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { ok, type Finding } from '../finding.ts';
import { asksForCode, pamText } from './stack.ts';

/** Prints all that sudo reads, includes and aliases expanded, see cvtsudoers(1). */
const CVTSUDOERS = '/usr/bin/cvtsudoers';
const SUDOERS = ['/etc/sudoers', '/usr/etc/sudoers'];
/** Where else sudo may read rules, nsswitch.conf(5). */
const NSSWITCH = '/etc/nsswitch.conf';
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** sudo's own services: the second where somebody asks for a login shell. */
const SERVICES = ['sudo', 'sudo-i'];
const ID = 'P11';

/** What may stand in a line of sudoers, and what that makes of the code. */
const EXEMPTIONS: readonly (readonly [pattern: RegExp, title: string])[] = [
  [/(?:^|[\s,])(?:targetpw|rootpw|runaspw)\b/, 'sudo asks for the code of somebody else than who types the command'],
  [/\bexempt_group\s*=/, 'sudo asks a whole group for nothing'],
  [/!\s*authenticate\b|\bNOPASSWD\s*:/, 'sudo asks somebody for no password and no code'],
];

/** Rule P11, for the sudoers file at `file` and the PAM services of sudo (the host's own unless told). Nothing where none of them asks for a code. */
export function examineSudoers(
  file = SUDOERS.find((each) => fs.existsSync(each)),
  services: readonly string[] = SERVICES,
  nsswitch = NSSWITCH,
): Finding[] {
  if (file === undefined) return [];
  const lines = sudoersLines(file);
  const named = (lines ?? []).flatMap((line) => servicesIn(line).map((service) => ({ service, line })));
  const asking = [...services, ...named.map(({ service }) => service)].filter(asksForCode);
  if (asking.length === 0) return [];
  if (lines === undefined) return [unread(file)];
  const without = named.filter(({ service }) => !asking.includes(service));
  const findings = [
    ...elsewhere(nsswitch),
    ...(named.length === 0 ? otherOfTwo(services, asking) : []),
    ...without.map(({ service, line }) =>
      finding('fail', 'sudo asks for no code: it goes through another PAM service', `${line} (PAM service ${service})`, 'drop that line'),
    ),
    ...EXEMPTIONS.flatMap(([pattern, title]) =>
      lines.flatMap((line) =>
        pattern.test(unquoted(line)) ? [finding('warn', title, line, 'drop that, where a code is to be asked for')] : [],
      ),
    ),
  ];
  return findings.length === 0 ? [ok(ID, 'No line of sudoers leads past the code', file)] : findings;
}

/** Rules of a directory service, which no program of this host prints. */
function elsewhere(nsswitch: string): Finding[] {
  const text = fs.existsSync(nsswitch) ? fs.readFileSync(nsswitch, 'utf8') : '';
  const [line = '', sources = ''] = /^\s*sudoers:([^#\n]*)/m.exec(text) ?? [];
  if (sources.split(/\s+/).every((source) => ['', 'files'].includes(source))) return [];
  const fix = 'sudo -l -U USER shows them for one user';
  return [finding('info', 'Rules of sudo that a directory service has are not looked at', `${nsswitch}: ${line.trim()}`, fix)];
}

/** `sudo -i` without a code beside a sudo with one, or the other way round. */
function otherOfTwo(services: readonly string[], asking: readonly string[]): Finding[] {
  const silent = services.filter((service) => pamText(service) !== '' && !asking.includes(service));
  return silent.map((service) =>
    finding(
      'fail',
      'A service of sudo asks for no code: that of sudo -i has a file of its own',
      `PAM service ${service}, beside ${asking.join()}`,
      'notp setup sudo --apply',
    ),
  );
}

/** The PAM services that a line of Defaults names. */
function servicesIn(line: string): string[] {
  if (!line.startsWith('Defaults')) return [];
  const found = line.matchAll(/\bpam_(?:login_)?service\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]+))|"(?:\\.|[^"\\])*"/g);
  return [...found].flatMap(([, quoted, plain]) => quoted ?? plain ?? []);
}

/** What stands in quotes is a name or a text and no setting. */
function unquoted(line: string): string {
  return line.replaceAll(/"(?:\\.|[^"\\])*"/g, '""');
}

/** One a setting or rule; undefined where sudo's own program cannot read the file. */
function sudoersLines(file: string): string[] | undefined {
  const { status, stdout } = spawnSync(CVTSUDOERS, ['-c', '/dev/null', '-f', 'sudoers', '-e', file], {
    ...{ encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, env: {} },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) return undefined;
  return stdout
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '');
}

function unread(file: string): Finding {
  const detail = `${CVTSUDOERS} cannot read ${file}`;
  const fix = 'visudo -c; look yourself for NOPASSWD, !authenticate, exempt_group, targetpw, rootpw, runaspw and pam_service';
  return finding('warn', 'Whom sudo asks for a code could not be looked at', detail, fix);
}

function finding(severity: 'info' | 'warn' | 'fail', title: string, detail: string, fix: string): Finding {
  return { id: ID, severity, title, detail, fix };
}
