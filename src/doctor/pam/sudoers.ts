/** Beside the code of sudo: what sudoers(5) says of whom sudo asks, through which PAM service, and whose code. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { parseJson } from '../../json.ts';
import { ok, type Finding } from '../finding.ts';
import { asksForCode, pamText } from './stack.ts';

/** Prints all that sudo reads as JSON, includes and aliases expanded, see cvtsudoers(1). */
const CVTSUDOERS = '/usr/bin/cvtsudoers';
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** sudo's own services: the second where somebody asks for a login shell. */
const SERVICES = ['sudo', 'sudo-i'];
const ID = 'P11';

/** Where sudo finds its rules. */
export interface SudoFiles {
  readonly sudoers: string | undefined;
  /** Names the plugins, and may name another file of rules: sudo.conf(5). */
  readonly conf: string;
  /** Where else there may be rules: nsswitch.conf(5). */
  readonly nsswitch: string;
}

const FILES: SudoFiles = {
  sudoers: ['/etc/sudoers', '/usr/etc/sudoers'].find((each) => fs.existsSync(each)),
  conf: '/etc/sudo.conf',
  nsswitch: '/etc/nsswitch.conf',
};

/** Rule P11, for the files and the PAM services of sudo (the host's own unless told). Nothing where none of them asks for a code. */
export function examineSudoers(files: Partial<SudoFiles> = {}, services: readonly string[] = SERVICES): Finding[] {
  const { sudoers, conf, nsswitch } = { ...FILES, ...files };
  const plugins = pluginsIn(textOf(conf));
  const file = plugins.sudoers ?? sudoers;
  if (file === undefined) return [];
  const rules = rulesIn(file);
  const named = (rules ?? []).flatMap((rule) => servicesOf(rule).map((service) => ({ service, rule })));
  const asking = [...services, ...named.map(({ service }) => service)].filter(asksForCode);
  if (asking.length === 0) return [];
  if (rules === undefined) return [unread(file)];
  const without = named.filter(({ service }) => !asking.includes(service));
  const findings = [
    ...plugins.others.map((line) =>
      finding('warn', 'Another plugin of sudo decides, and what it asks for is not looked at', `${conf}: ${line}`, 'drop that line'),
    ),
    ...elsewhere(nsswitch),
    ...(named.length === 0 ? otherOfTwo(services, asking) : []),
    ...without.map(({ service, rule }) =>
      finding('fail', 'sudo asks for no code: it goes through another PAM service', `${shown(rule)} (PAM service ${service})`, 'drop that'),
    ),
    ...rules.flatMap((rule) =>
      exemptions(rule).map((title) => finding('warn', title, shown(rule), 'drop that, where a code is to be asked for')),
    ),
  ];
  return findings.length === 0 ? [ok(ID, 'No line of sudoers leads past the code', file)] : findings;
}

/** One setting, for whom or what it holds, and where it is a tag of commands also for which. */
interface SudoRule {
  readonly setting: string;
  readonly value: unknown;
  readonly whom: readonly string[];
  readonly commands: readonly string[];
}

/** The PAM service that sudo goes through by this rule: pam_service, pam_login_service, pam_askpass_service, and whatever is called so. */
function servicesOf({ setting, value }: SudoRule): string[] {
  return /^pam_(?:\w+_)?service$/.test(setting) && typeof value === 'string' ? [value] : [];
}

/** What the rule makes of the code. */
function exemptions({ setting, value }: SudoRule): string[] {
  switch (setting) {
    case 'targetpw':
    case 'rootpw':
    case 'runaspw':
      return value === true ? ['sudo asks for the code of somebody else than who types the command'] : [];
    case 'exempt_group':
      return ['sudo asks a whole group for nothing'];
    case 'authenticate':
      return value === false ? ['sudo asks somebody for no password and no code'] : [];
    default:
      return [];
  }
}

function shown({ setting, value, whom, commands }: SudoRule): string {
  const what = typeof value === 'boolean' ? `${value ? '' : '!'}${setting}` : `${setting}=${String(value)}`;
  const where = commands.length === 0 ? 'Defaults' : commands.join(', ');
  return `${[whom.join(', '), where].filter((part) => part !== '').join(' ')}: ${what}`;
}

/** Each setting of Defaults and each tag of commands; undefined where sudo's own program cannot read the file. */
function rulesIn(file: string): SudoRule[] | undefined {
  const { status, stdout } = spawnSync(CVTSUDOERS, ['-c', '/dev/null', '-f', 'json', '-e', file], {
    ...{ encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, env: {} },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) return undefined;
  try {
    const all = parseJson(stdout);
    const defaults = objectsIn(all, 'Defaults').flatMap((each) => settingsOf(each, namesIn(each, 'Binding'), []));
    const commands = objectsIn(all, 'User_Specs').flatMap((user) =>
      objectsIn(user, 'Cmnd_Specs').flatMap((each) => settingsOf(each, namesIn(user, 'User_List'), namesIn(each, 'Commands'))),
    );
    return [...defaults, ...commands];
  } catch {
    return undefined;
  }
}

function settingsOf(holder: object, whom: readonly string[], commands: readonly string[]): SudoRule[] {
  return objectsIn(holder, 'Options')
    .flatMap((option) => Object.entries(option))
    .map(([setting, value]: [string, unknown]) => ({ setting, value, whom, commands }));
}

/** The objects in the list that `holder` has as `key`. */
function objectsIn(holder: unknown, key: string): object[] {
  const list: unknown =
    typeof holder === 'object' && holder !== null ? Object.entries(holder).find(([each]) => each === key)?.[1] : undefined;
  return Array.isArray(list) ? list.filter((each): each is object => typeof each === 'object' && each !== null) : [];
}

/** What is named there: of a group with its sign, of what is left out with "!". */
function namesIn(holder: object, key: string): string[] {
  return objectsIn(holder, key).map((each) => {
    const [[kind, name] = ['', '']] = Object.entries(each).filter(([word]) => word !== 'negated') as [string, unknown][];
    return `${'negated' in each ? '!' : ''}${kind === 'usergroup' ? '%' : ''}${String(name)}`;
  });
}

/** The file of rules that sudo.conf(5) names for sudo's own policy, and the lines that name another policy. */
function pluginsIn(conf: string): { readonly sudoers: string | undefined; readonly others: readonly string[] } {
  const lines = conf
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([word]) => word === 'Plugin');
  const own = lines.filter(([, symbol, path = '']) => symbol === 'sudoers_policy' && /(?:^|\/)sudoers\.so$/.test(path));
  const named = own.flatMap((words) => words.flatMap((word) => /^sudoers_file=(.+)$/.exec(word)?.[1] ?? []));
  const others = lines.filter((words) => !own.includes(words) && !['sudoers_io', 'sudoers_audit'].includes(words[1] ?? ''));
  return { sudoers: named.at(-1), others: others.map((words) => words.join(' ')) };
}

function textOf(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
}

/** Rules of a directory service, which no program of this host prints. */
function elsewhere(nsswitch: string): Finding[] {
  const [line = '', sources = ''] = /^\s*sudoers:([^#\n]*)/m.exec(textOf(nsswitch)) ?? [];
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

function unread(file: string): Finding {
  const detail = `${CVTSUDOERS} cannot read ${file}`;
  const fix = 'visudo -c; look yourself for NOPASSWD, !authenticate, exempt_group, targetpw, rootpw, runaspw and pam_*service';
  return finding('warn', 'Whom sudo asks for a code could not be looked at', detail, fix);
}

function finding(severity: 'info' | 'warn' | 'fail', title: string, detail: string, fix: string): Finding {
  return { id: ID, severity, title, detail, fix };
}
