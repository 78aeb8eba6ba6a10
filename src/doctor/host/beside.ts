/**
 * Ways into the host beside the doors: other servers that speak SSH, and PAM services that log somebody in or give rights without a code.
 * Nobody asked notp to guard these, so they are remarks; what the network reaches is a warning.
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { changing, type Finding } from '../finding.ts';
import { asksForCode, pamText } from '../pam/stack.ts';
import { textIfThere } from '../../system/if-there.ts';

/** PAM services of programs that log in over the network. */
const REMOTE = ['cockpit', 'vsftpd', 'proftpd', 'pure-ftpd', 'xrdp-sesman', 'remote', 'rlogin', 'rexec', 'ftp', 'webmin', 'dropbear'];
/** PAM services at the machine, and those that give an account more rights. */
const LOCAL = ['login', 'gdm-password', 'lightdm', 'sddm', 'xdm', 'su', 'su-l', 'sudo', 'sudo-i', 'polkit-1', 'doas'];
const GREETING = /^SSH-[\d.]+-/;
const GREETING_MS = 500;
/** More listeners than this are not asked: those of root and of services first, and of each user in turn. */
const MAX_ASKED = 64;
/** System users have lower uids: login.defs(5). */
const FIRST_USER = 1000;
/** The state LISTEN in /proc/net/tcp. */
const LISTENS = '0A';

/** `sshds`: the pids of the sshds that are checked. The caller is root. */
export async function examineBeside(sshds: readonly number[]): Promise<Finding[]> {
  return [...(await otherServers(sshds)), ...withoutCode(REMOTE, 'warn'), ...withoutCode(LOCAL, 'info')];
}

function withoutCode(services: readonly string[], severity: 'warn' | 'info'): Finding[] {
  const open = services.filter((service) => textOf(service) !== '' && !asksForCode(service));
  if (open.length === 0) return [];
  const isRemote = severity === 'warn';
  const title = isRemote
    ? 'Other services log in over the network without a code'
    : 'Services at the machine log in or give rights without a code';
  const fix = isRemote
    ? 'remove them, or add the lines of examples/pam.d to their files in /etc/pam.d'
    : 'if they need one: notp setup sudo, and the lines of examples/pam.d/sudo-notp for the others';
  return [{ id: isRemote ? 'beside-network' : 'beside', severity, title, detail: `PAM services ${open.join(', ')}`, fix }];
}

function textOf(service: string): string {
  try {
    return pamText(service);
  } catch {
    return '';
  }
}

interface Listener {
  readonly uid: number;
  readonly address: string;
  readonly port: number;
  readonly pid: number;
}

/** Servers other than the checked sshds that greet a client as SSH does, whatever they are called. systemd's own sockets are checked by their units. */
async function otherServers(sshds: readonly number[]): Promise<Finding[]> {
  const known = [1, process.pid, ...sshds];
  // An sshd under its own name is checked, or it is a session that forwards a port.
  const others = listeners().filter(({ pid }) => !known.includes(pid) && !/^sshd(-session)?$/.test(nameOf(pid)));
  const greeted = await Promise.all(
    inTurn(others)
      .slice(0, MAX_ASKED)
      .map(async (each) => ({ ...each, isSsh: await speaksSsh(each) })),
  );
  const found = new Map(
    greeted.flatMap(({ pid, port, isSsh }) => (isSsh ? [[`${nameOf(pid)} (pid ${changing(pid)}) on port ${String(port)}`, port]] : [])),
  );
  return [...found.keys()].map((detail) => ({
    id: 'beside-ssh',
    severity: 'warn',
    title: 'Another server speaks SSH, and notp does not know what it asks for',
    detail,
    fix: 'stop it, or make sure that it asks for a code: a key alone may log in there',
  }));
}

/** One user with many sockets must not keep a server of somebody else from being asked. */
function inTurn(all: readonly Listener[]): Listener[] {
  const turns = [...Map.groupBy(all, ({ uid }) => uid).values()].flatMap((own) => own.map((each, turn) => ({ each, turn })));
  const rank = ({ uid }: Listener): number => (uid === 0 ? 0 : uid < FIRST_USER ? 1 : 2);
  return turns.toSorted((a, b) => rank(a.each) - rank(b.each) || a.turn - b.turn).map(({ each }) => each);
}

/** The TCP sockets that listen, with the processes that hold them. */
function listeners(): Listener[] {
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => (textIfThere(file, 'latin1') ?? '').split('\n'));
  const byInode = new Map(
    sockets.flatMap((line) => {
      const [, local = '', , state, , , , uid = '', , inode = ''] = line.trim().split(/\s+/);
      const [host = '', port = ''] = local.split(':');
      return state === LISTENS ? [[inode, { uid: Number(uid), address: addressOf(host), port: Number.parseInt(port, 16) }] as const] : [];
    }),
  );
  if (byInode.size === 0) return [];
  return fs.readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const inodes = descriptorsOf(entry).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
    return [...new Set(inodes)].flatMap((inode) => {
      const socket = byInode.get(inode);
      return socket === undefined ? [] : [{ ...socket, pid: Number(entry) }];
    });
  });
}

/** Where to connect: the address of a socket that listens on one of IPv4, else this host. */
function addressOf(hex: string): string {
  if (hex.length !== 8) return /^0+$/.test(hex) ? '127.0.0.1' : '::1';
  const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return bytes.every((byte) => byte === 0) ? '127.0.0.1' : bytes.join('.');
}

function descriptorsOf(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return fs.readdirSync(folder).flatMap((name) => linkOf(path.join(folder, name)));
  } catch {
    return [];
  }
}

function linkOf(file: string): string[] {
  try {
    return [fs.readlinkSync(file)];
  } catch {
    return [];
  }
}

function nameOf(pid: number): string {
  return path.basename(linkOf(`/proc/${String(pid)}/exe`)[0] ?? 'a program');
}

function speaksSsh({ address, port }: Listener): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port });
    let isSsh = false;
    socket.setTimeout(GREETING_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      isSsh = GREETING.test(bytes.toString('latin1'));
      socket.destroy();
    });
    // Comes last in every case, also where the other end hangs up without a word.
    socket.once('close', () => {
      resolve(isSsh);
    });
  });
}
