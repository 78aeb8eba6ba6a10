/**
 * Finds the sshds that systemd starts for a connection, behind listening socket units, and those that it would start anew as a service, at the
 * next restart or boot. They do not run yet. See systemd.socket(5).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isBooted } from '../../system/systemd.ts';
import { first, showUnits, type Unit } from '../../system/units.ts';
import { serverOf, type Server } from './servers.ts';

const SERVICES = ['ssh.service', 'sshd.service'];
/** notp's own units, one for each user. */
const OURS = /^notp[@-]/;
/** sshd, anywhere in a command. */
const SSHD = /(?:^|[\s/"'])sshd(?=[\s"';]|$)/;

/** Throws `failed` where systemd cannot be asked. */
export function socketServers(): Server[] {
  if (!isBooted()) return [];
  const sockets = showUnits(['*.socket'], ['Accept', 'ActiveState', 'Triggers']).filter(
    (unit) => first(unit, 'ActiveState') === 'active' && !OURS.test(first(unit, 'Id')),
  );
  const pairs = sockets.flatMap((socket) => servicesOf(socket).map((service) => ({ socket: first(socket, 'Id'), service })));
  if (pairs.length === 0) return [];
  const services = showUnits(
    pairs.map(({ service }) => service),
    ['ExecStart', 'EnvironmentFiles', 'Environment', 'MainPID'],
  );
  return pairs.flatMap(({ socket }, i) => {
    const service = services[i];
    // A service that runs already is found in /proc.
    return service === undefined || !['', '0'].includes(first(service, 'MainPID')) ? [] : serversIn(service, socket);
  });
}

/** sshd's services that are enabled or run. What they start may differ from what runs, by a drop-in or a variable that came later. Throws as above. */
export function serviceServers(): Server[] {
  if (!isBooted()) return [];
  const services = showUnits(SERVICES, ['LoadState', 'UnitFileState', 'ActiveState', 'ExecStart', 'EnvironmentFiles', 'Environment']);
  const used = services.filter(
    (unit) =>
      first(unit, 'LoadState') === 'loaded' && (first(unit, 'UnitFileState') === 'enabled' || first(unit, 'ActiveState') === 'active'),
  );
  const found = used.flatMap((unit) => serversIn(unit, `${first(unit, 'Id')} at its next start`));
  // Debian's sshd.service is another name of ssh.service.
  return [...new Map(found.map((server) => [JSON.stringify(server), server])).values()];
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
    const words = command.split(' ').flatMap((word) => expanded(word, service));
    const isCut = path.basename(program) !== 'sshd' || words.some((word) => word.includes('$'));
    return [{ ...serverOf({ words, isCut }, program), unit }];
  });
}

/** The words for which a variable stands: `$SSHD_OPTS` for several, `${SSHD_OPTS}` for one. Any other word is itself. */
function expanded(word: string, service: Unit): string[] {
  const [, several, one] = /^\$(?:(\w+)|\{(\w+)\})$/.exec(word) ?? [];
  const name = several ?? one;
  if (name === undefined) return [word];
  const files = (service.get('EnvironmentFiles') ?? []).map((line) => line.replace(/ \(ignore_errors=\w+\)$/, ''));
  const given = [...(service.get('Environment') ?? []), ...files.map(textOf)].join('\n');
  const values = [...given.matchAll(new RegExp(String.raw`(?:^|[\s"'])${name}=("[^"\n]*"|'[^'\n]*'|.*)$`, 'gm'))];
  const value = (values.at(-1)?.[1] ?? '').trim().replace(/^(["'])(.*)\1$/, '$2');
  return several === undefined && value !== '' ? [value] : value.split(/\s+/).filter((each) => each !== '');
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
