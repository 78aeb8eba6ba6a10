/** The doors beside each other in one container: the host's own sshd after `notp setup pam`, and for each other one an sshd like it. */
import * as fs from 'node:fs';
import { codeLine, newerLines } from '../doors/pam-world.ts';
import { SSHD_CONFIG } from '../support/container-root.ts';
import type { Container } from '../support/container.ts';
import { filesOf } from './files.ts';

/** With their ports. At `self` systemd cannot be seen. */
export const PORTS = { notp: 22, key: 2201, google: 2202, oath: 2203, exec: 2204, self: 2205, gate: 2206 } as const;
export type Door = keyof typeof PORTS;

/** The files that the other modules read. */
export const [GOOGLE_FILE, OATH_FILE] = ['/srv/google/secret', '/srv/oath/users'];
/** The lines of PAM that ask for a code. */
export const LINES = {
  google: `auth requisite pam_google_authenticator.so secret=${GOOGLE_FILE} user=root no_strict_owner no_increment_hotp`,
  oath: `auth requisite pam_oath.so usersfile=${OATH_FILE} window=20`,
  exec: codeLine('/bin/true'),
  notp: codeLine('/usr/bin/notp pam'),
} as const;

/** On a host whose init is not systemd there is no judge, and notp pam decides itself. */
export const APART = [
  'TemporaryFileSystem=/run/systemd /run/notp',
  ...['journal', 'notify', 'seats', 'sessions', 'userdb', 'users'].map((name) => `BindPaths=-/run/systemd/${name}`),
];
/** What systemd gives each service of a real host; pam_exec closes as many descriptors. */
const LIMIT = 'LimitNOFILE=1024:524288';
const OWN_LIMIT = '/etc/systemd/system/ssh.service.d/00-limit.conf';
const FOR_GOOD = ['--apply', '--confirm-within', 'never'];

interface Setting {
  /** Lines of sshd_config(5) besides the stock ones. */
  readonly sshd: string;
  readonly pam: string;
  /** Lines of its unit. */
  readonly unit?: readonly string[];
}

/** Sets up all of them, where notp is installed and has its users. */
export async function setUpDoors(container: Container): Promise<void> {
  const { read, write } = filesOf(container);
  const stock = read('/etc/pam.d/sshd');
  write(OWN_LIMIT, `[Service]\n${LIMIT}\n`);
  const gate = await writtenBySetup(container, 'gate');
  await container.must(['notp', 'setup', 'undo']);
  const ours = await writtenBySetup(container, 'pam');
  const asking = (line: string): Setting => {
    return { sshd: ours.sshd, pam: stock.replace('@include common-auth', `${line}\nauth required pam_permit.so`) };
  };
  const settings: Readonly<Record<Exclude<Door, 'notp'>, Setting>> = {
    key: { sshd: '', pam: stock },
    google: asking(LINES.google),
    oath: asking(LINES.oath),
    exec: asking(LINES.exec),
    self: { ...ours, unit: APART },
    gate,
  };
  const doors = Object.keys(settings) as (keyof typeof settings)[];
  for (const door of doors) writeDoor(container, door, settings[door]);
  await container.must(['systemctl', 'daemon-reload']);
  // One after the other: /run/sshd, which all need, is made anew with ssh.service.
  await container.must(['systemctl', 'restart', 'ssh.service']);
  await container.must(['systemctl', 'start', ...doors.map((door) => `bench-${door}.service`)]);
}

async function writtenBySetup(container: Container, door: 'gate' | 'pam'): Promise<Setting> {
  const { read } = filesOf(container);
  await container.must(['notp', 'setup', door, ...FOR_GOOD]);
  return { sshd: read(`/etc/ssh/sshd_config.d/10-notp-${door}.conf`), pam: read('/etc/pam.d/sshd') };
}

/** sshd takes the name of its stack of PAM from its own. */
function writeDoor(container: Container, door: Door, { sshd, pam, unit = [] }: Setting): void {
  const { read, write, outside } = filesOf(container);
  const [name, config] = [`bench-${door}`, `/etc/ssh/bench-${door}`];
  fs.symlinkSync('/usr/sbin/sshd', outside(`/usr/local/sbin/${name}`));
  write(`/etc/pam.d/${name}`, pam);
  write(config, [`Port ${String(PORTS[door])}`, ...newerLines(name), sshd, SSHD_CONFIG.replace(/^Include.*\n/, '')].join('\n'));
  const service = read('/usr/lib/systemd/system/ssh.service')
    .replace(/^RuntimeDirectory.*\n/gm, '')
    .replaceAll('/usr/sbin/sshd', `/usr/local/sbin/${name} -f ${config}`)
    .replace('[Service]', ['[Service]', LIMIT, ...unit].join('\n'));
  write(`/etc/systemd/system/${name}.service`, service);
}
