/** Finds the sshds that systemd starts for a connection, behind listening socket units. They do not run yet. See systemd.socket(5). */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isBooted } from '../../system/systemd.ts';
import { serverOf, type Server } from './servers.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 30_000;
/** Enough for some 100 000 units. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** notp's own units, one for each user. */
const OURS = /^notp[@-]/;
/** sshd, anywhere in a command. */
const SSHD = /(?:^|[\s/"'])sshd(?=[\s"';]|$)/;

/** The output of systemctl(1) for a unit: each property with its lines. */
type Unit = ReadonlyMap<string, readonly string[]>;

export function socketServers(): Server[] {
  if (!isBooted()) return [];
  const sockets = show(['*.socket'], ['Id', 'Accept', 'ActiveState', 'Triggers']).filter(
    (unit) => first(unit, 'ActiveState') === 'active' && !OURS.test(first(unit, 'Id')),
  );
  const pairs = sockets.flatMap((socket) => servicesOf(socket).map((service) => ({ socket: first(socket, 'Id'), service })));
  if (pairs.length === 0) return [];
  const services = show(
    pairs.map(({ service }) => service),
    ['ExecStart', 'EnvironmentFiles', 'Environment', 'MainPID'],
  );
  return pairs.flatMap(({ socket }, i) => {
    const service = services[i];
    // A service that runs already is found in /proc.
    return service === undefined || !['', '0'].includes(first(service, 'MainPID')) ? [] : serversIn(service, socket);
  });
}

/** With Accept=yes each connection gets an instance of its own. */
function servicesOf(socket: Unit): string[] {
  if (first(socket, 'Accept') === 'yes') return [`${first(socket, 'Id').replace(/(?:@.*)?\.socket$/, '')}@notp-doctor.service`];
  return first(socket, 'Triggers')
    .split(' ')
    .filter((name) => name.endsWith('.service'));
}

function serversIn(service: Unit, unit: string): Server[] {
  return (service.get('ExecStart') ?? []).flatMap((line) => {
    const [, program = '', command = ''] = /^\{ path=(.*?) ; argv\[\]=(.*?) ; ignore_errors=/s.exec(line) ?? [];
    if (!SSHD.test(command)) return [];
    const words = command.split(' ').filter((word) => !isEmptyVariable(word, service));
    const isCut = path.basename(program) !== 'sshd' || words.some((word) => word.includes('$'));
    return [{ ...serverOf({ words, isCut }, program), unit }];
  });
}

/** Whether `word` is a variable (`$SSHD_OPTS`) without a value. */
function isEmptyVariable(word: string, service: Unit): boolean {
  const [, name] = /^\$\{?(\w+)\}?$/.exec(word) ?? [];
  if (name === undefined) return false;
  const files = (service.get('EnvironmentFiles') ?? []).map((line) => line.replace(/ \(ignore_errors=\w+\)$/, ''));
  const given = [...(service.get('Environment') ?? []), ...files.map(textOf)].join('\n');
  return !new RegExp(String.raw`(?:^|[\s"'])${name}=(?!\s*$|""\s*$|''\s*$)`, 'm').test(given);
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function show(units: readonly string[], properties: readonly string[]): Unit[] {
  const { stdout } = spawnSync(SYSTEMCTL, ['show', `--property=${properties.join()}`, '--', ...units], {
    ...{ encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: MAX_ANSWER_BYTES, env: {} },
  });
  const blocks = stdout.split('\n\n').filter((block) => block.trim() !== '');
  return blocks.map((block) => {
    const pairs = block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
    return new Map([...Map.groupBy(pairs, ([name]) => name)].map(([name, lines]) => [name, lines.map(([, value]) => value)]));
  });
}

function first(unit: Unit, property: string): string {
  return unit.get(property)?.[0] ?? '';
}
