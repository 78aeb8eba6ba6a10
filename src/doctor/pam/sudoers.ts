/** Ways around the code of sudo in sudoers(5): whom sudo asks, through which PAM service, and for whose code. */
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { parseJson } from '../../json.ts';
import { textIfThere } from '../../system/if-there.ts';
import { outputOf } from '../../system/output.ts';
import type { User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import { asksForCode, pamText } from './stack.ts';

/** Prints all that sudo reads as JSON, includes and aliases expanded, see cvtsudoers(1). */
const CVTSUDOERS = '/usr/bin/cvtsudoers';
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** sudo's own services; the second is for `sudo -i`, a login shell. */
const SERVICES = ['sudo', 'sudo-i'];
const ID = 'P11';
/** sudo's own default for timestamp_timeout. */
const LONG_MINUTES = 15;

/** The files in which sudo finds its rules. */
export interface SudoFiles {
  readonly sudoers: string | undefined;
  /** Names the plugins and may name another file of rules, see sudo.conf(5). */
  readonly conf: string;
  /** May name a directory service with more rules, see nsswitch.conf(5). */
  readonly nsswitch: string;
}

const FILES: SudoFiles = {
  sudoers: ['/etc/sudoers', '/usr/etc/sudoers'].find((each) => fs.existsSync(each)),
  conf: '/etc/sudo.conf',
  nsswitch: '/etc/nsswitch.conf',
};

/** Rule P11, for the files and PAM services of sudo; by default those of the host. No findings if none of the services asks for a code. */
export function examineSudoers(files: Partial<SudoFiles> = {}, services: readonly string[] = SERVICES): Finding[] {
  const { sudoers, conf, nsswitch } = { ...FILES, ...files };
  const plugins = pluginsIn(textOf(conf));
  const file = plugins.sudoers ?? sudoers;
  if (file === undefined) return [];
  const rules = rulesIn(file);
  const named = (rules ?? []).flatMap((rule) => servicesOf(rule).map((service) => ({ service, rule })));
  const asking = [...services, ...named.map(({ service }) => service)].filter(asksForCode);
  if (asking.length === 0) return [];
  if (rules === undefined) return [unreadable(file)];
  const without = named.filter(({ service }) => !asking.includes(service));
  const findings = [
    ...plugins.others.map((line) =>
      finding('warn', 'Another plugin of sudo decides, and notp does not check what it asks for', `${conf}: ${line}`, 'remove that line'),
    ),
    ...directoryRules(nsswitch),
    ...(named.length === 0 ? servicesWithoutCode(services, asking) : []),
    ...without.map(({ service, rule }) =>
      finding(
        'fail',
        'sudo asks for no code: it goes through another PAM service',
        `${shown(rule)} (PAM service ${service})`,
        'remove that setting',
      ),
    ),
    ...rules.flatMap((rule) =>
      exemptions(rule).map((title) => finding('warn', title, shown(rule), 'remove that setting if a code must be asked for')),
    ),
  ];
  return findings.length === 0 ? [ok(ID, 'No line of sudoers leads past the code', file)] : findings;
}

/** Whether sudo lets a user, who is in `groups`, run something here and asks for a password first. */
export type IsAsked = (user: User, groups: readonly string[]) => boolean;

/** Undefined if the files cannot be read. Rules in a directory service are not known. */
export function askedBySudo(files: Partial<SudoFiles> = {}): IsAsked | undefined {
  const { sudoers, conf } = { ...FILES, ...files };
  const file = pluginsIn(textOf(conf)).sudoers ?? sudoers;
  const all = file === undefined ? undefined : jsonOf(file);
  if (all === undefined) return undefined;
  const specs = objectsIn(all, 'User_Specs').filter((spec) => objectsIn(spec, 'Host_List').some(isHere));
  const defaults = objectsIn(all, 'Defaults').map((each) => ({ ...each, whom: objectsIn(each, 'Binding') }));
  return (user, groups) => {
    const isExempt = defaults.some(
      (each) =>
        (each.whom.length === 0 || isMeant(each.whom, user, groups)) &&
        settingsOf(each, [], []).some(
          ({ setting, value }) =>
            (setting === 'authenticate' && value === false) || (setting === 'exempt_group' && groups.includes(String(value))),
        ),
    );
    if (isExempt) return false;
    const commands = specs
      .filter((spec) => isMeant(objectsIn(spec, 'User_List'), user, groups))
      .flatMap((spec) => objectsIn(spec, 'Cmnd_Specs'));
    return commands.some((each) => !settingsOf(each, [], []).some(({ setting, value }) => setting === 'authenticate' && value === false));
  };
}

/** Of several entries the last one that matches counts, as for sudo. */
function isMeant(list: readonly object[], { name, uid, gid }: User, groups: readonly string[]): boolean {
  const said = list.flatMap((entry) => {
    const matches = Object.entries(entry).some(([kind, value]: [string, unknown]) => {
      switch (kind) {
        case 'username':
          return value === 'ALL' || value === name;
        case 'userid':
          return Number(value) === uid;
        case 'usergroup':
          return groups.includes(String(value));
        case 'usergid':
          return Number(value) === gid;
        default:
          return false;
      }
    });
    return matches ? [!('negated' in entry)] : [];
  });
  return said.at(-1) === true;
}

/** A network or a pattern may be this host. */
function isHere(entry: object): boolean {
  const name = String(Object.entries(entry).find(([kind]) => kind === 'hostname')?.[1] ?? '*');
  return /[*?[]/.test(name) || ['ALL', hostname(), hostname().split('.', 1)[0]].includes(name);
}

/** One setting, the users or hosts it applies to, and for a tag of commands also those commands. */
interface SudoRule {
  readonly setting: string;
  readonly value: unknown;
  readonly whom: readonly string[];
  readonly commands: readonly string[];
}

/** The PAM service that this rule makes sudo use: pam_service, pam_login_service, pam_askpass_service, and any setting with such a name. */
function servicesOf({ setting, value }: SudoRule): string[] {
  return /^pam_(?:\w+_)?service$/.test(setting) && typeof value === 'string' ? [value] : [];
}

/** How the rule weakens or avoids the code: titles of findings. */
function exemptions({ setting, value }: SudoRule): string[] {
  switch (setting) {
    case 'targetpw':
    case 'rootpw':
    case 'runaspw':
      return value === true ? ['sudo asks for the code of another user than the one who runs it'] : [];
    case 'exempt_group':
      return ['sudo asks a whole group for no password and no code'];
    case 'timestamp_timeout':
      return Number(value) < 0 || Number(value) > LONG_MINUTES
        ? ['sudo asks for no password and no code for long after it has asked once']
        : [];
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

/** What cvtsudoers prints; undefined if it cannot read the file. */
function jsonOf(file: string): unknown {
  const words = ['-c', '/dev/null', '-f', 'json', '-e', file];
  const output = outputOf(CVTSUDOERS, words, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_OUTPUT_BYTES });
  if ('failed' in output) return undefined;
  try {
    return parseJson(output.stdout);
  } catch {
    return undefined;
  }
}

/** Each setting of Defaults and each tag of commands; undefined if cvtsudoers cannot read the file. */
function rulesIn(file: string): SudoRule[] | undefined {
  const all = jsonOf(file);
  if (all === undefined) return undefined;
  const defaults = objectsIn(all, 'Defaults').flatMap((each) => settingsOf(each, namesIn(each, 'Binding'), []));
  const commands = objectsIn(all, 'User_Specs').flatMap((user) =>
    objectsIn(user, 'Cmnd_Specs').flatMap((each) => settingsOf(each, namesIn(user, 'User_List'), namesIn(each, 'Commands'))),
  );
  return [...defaults, ...commands];
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

/** The names in that list: groups with "%", exclusions with "!". */
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
  return textIfThere(file) ?? '';
}

/** Rules of a directory service, which no program of this host prints. */
function directoryRules(nsswitch: string): Finding[] {
  const [line = '', sources = ''] = /^\s*sudoers:([^#\n]*)/m.exec(textOf(nsswitch)) ?? [];
  if (sources.split(/\s+/).every((source) => ['', 'files'].includes(source))) return [];
  const fix = 'show them for one user: sudo -l -U USER';
  return [finding('info', 'The rules of sudo in a directory service are not checked', `${nsswitch}: ${line.trim()}`, fix)];
}

/** `sudo -i` asks for no code while sudo does, or the other way round. */
function servicesWithoutCode(services: readonly string[], asking: readonly string[]): Finding[] {
  const silent = services.filter((service) => pamText(service) !== '' && !asking.includes(service));
  return silent.map((service) =>
    finding(
      'fail',
      'One PAM service of sudo asks for no code: sudo -i has a file of its own',
      `PAM service ${service}, beside ${asking.join()}`,
      'notp setup sudo --apply',
    ),
  );
}

function unreadable(file: string): Finding {
  const detail = `${CVTSUDOERS} cannot read ${file}`;
  const fix = 'visudo -c; search by hand for NOPASSWD, !authenticate, exempt_group, targetpw, rootpw, runaspw and pam_*service';
  return finding('warn', 'The rules of sudo could not be checked', detail, fix);
}

function finding(severity: 'info' | 'warn' | 'fail', title: string, detail: string, fix: string): Finding {
  return { id: ID, severity, title, detail, fix };
}
