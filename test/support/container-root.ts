/**
 * What the root of a container holds before it boots: the machine's programs (through an overlay over /usr) and what
 * everybody may read of its /etc, but none of its people, keys, states and enabled units.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { randomBytes } from 'node:crypto';
import { ROOT } from './process.ts';
import { builtPackage } from './built-package.ts';
import { must } from './world.ts';

/** The key of the client inside, authorised by addContainerUser(). */
export const CLIENT_KEY = '/root/.ssh/id_ed25519';

/** Folders at the top besides /usr and the links into it; /var is filled at boot by systemd-tmpfiles. */
const FOLDERS = 'boot dev etc home mnt opt proc root run srv sys tmp var var/lib var/log var/log/journal var/mail'.split(' ');

/** Of /etc: what the machine has enabled, what is made anew here, and what nspawn leaves alone. */
const NOT_COPIED =
  /^(systemd\/system|init\.d|rc.\.d|notp|ssh|pam\.d\/notp.*|cron.*|sudoers.*|(passwd|group|shadow|gshadow|subuid|subgid).*|machine-id|host(s|name)|resolv\.conf|mtab|\.updated)$/;

/** Units that cost seconds or look after hardware. */
const MASKED = [
  'ldconfig',
  'systemd-hwdb-update',
  'systemd-journal-catalog-update',
  'systemd-networkd',
  'systemd-resolved',
  'systemd-timesyncd',
];

/** What Debian ships, but for the address. */
export const SSHD_CONFIG = `Include /etc/ssh/sshd_config.d/*.conf
ListenAddress 127.0.0.1
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
`;

/** Fills the empty `root`, in which `usr` is mounted. */
export function fillRoot(root: string): void {
  for (const folder of FOLDERS) fs.mkdirSync(path.join(root, folder), { mode: 0o755 });
  fs.chmodSync(path.join(root, 'root'), 0o700);
  fs.chmodSync(path.join(root, 'tmp'), 0o1777);
  // Debian's links of the merged /usr.
  for (const link of fs.readdirSync('/').filter((entry) => /^(bin|sbin|lib.*)$/.test(entry))) {
    fs.symlinkSync(`usr/${link}`, path.join(root, link));
  }
  copyReadable('/etc', path.join(root, 'etc'));
  copyAccounts(path.join(root, 'etc'));
  writeIn(root, 'etc/sudoers', 'Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n', 0o440);
  writeIn(root, 'etc/sudoers.d/README', '', 0o440);
  writeIn(root, 'etc/ssh/sshd_config', SSHD_CONFIG);
  fs.mkdirSync(path.join(root, 'etc/ssh/sshd_config.d'));
  enableUnits(path.join(root, 'etc/systemd/system'));
}

/** Gives a root that is ready to boot its name and keys, and ids that no account of this machine has. */
export function identify(root: string, name: string): void {
  const etc = path.join(root, 'etc');
  // Uids of their own: tests outside end processes by the uids of their users, and see those of containers too.
  const defaults = fs.readFileSync(path.join(etc, 'login.defs'), 'utf8').replace(/^(UID|GID)_MIN\s.*$/gm, '$1_MIN 30000');
  writeIn(root, 'etc/login.defs', defaults);
  takeIds(etc, ['passwd', 'outside-ID:x:ID:ID::/nonexistent:/usr/sbin/nologin'], ['shadow', 'outside-ID:*:20000:0:99999:7:::']);
  takeIds(etc, ['group', 'outside-ID:x:ID:'], ['gshadow', 'outside-ID:*::']);
  writeIn(root, 'etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444);
  writeIn(root, 'etc/hostname', `${name}\n`);
  writeIn(root, 'etc/hosts', `127.0.0.1 localhost ${name}\n::1 localhost\n`);
  fs.mkdirSync(path.join(root, path.dirname(CLIENT_KEY)), { mode: 0o700, recursive: true });
  for (const key of ['/etc/ssh/ssh_host_ed25519_key', CLIENT_KEY]) {
    fs.rmSync(path.join(root, key), { force: true });
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path.join(root, key)]);
  }
  for (const unit of MASKED) {
    const link = path.join(etc, 'systemd/system', `${unit}.service`);
    fs.rmSync(link, { force: true });
    fs.symlinkSync('/dev/null', link);
  }
}

function writeIn(root: string, file: string, text: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  fs.writeFileSync(path.join(root, file), text);
  fs.chmodSync(path.join(root, file), mode);
}

/** The Node.js that installInto() puts into a container, for programs of the tests; notp needs none. */
export const NODE_INSIDE = '/opt/node';

/** Installs the executable and the units of the tree into `root`, as a package would; only the socket of the PAM door is enabled. */
export function installInto(root: string): void {
  const put = (from: string, to: string): void => {
    fs.rmSync(path.join(root, to), { force: true });
    fs.copyFileSync(from, path.join(root, to), fs.constants.COPYFILE_FICLONE);
    fs.chmodSync(path.join(root, to), 0o755);
  };
  put(process.execPath, NODE_INSIDE);
  put(path.join(builtPackage(), 'notp'), 'usr/bin/notp');
  fs.rmSync(path.join(root, 'usr/bin/notp-enroll'), { force: true });
  fs.symlinkSync('notp', path.join(root, 'usr/bin/notp-enroll'));
  installUnits(root);
  const wanted = path.join(root, 'etc/systemd/system/sockets.target.wants');
  fs.mkdirSync(wanted, { recursive: true });
  fs.symlinkSync('/etc/systemd/system/notp-judge.socket', path.join(wanted, 'notp-judge.socket'));
}

/** Installs units, sysusers.d and tmpfiles.d of `folder` into `root`. */
export function installUnits(root: string, folder = path.join(ROOT, 'systemd')): void {
  const all = fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  for (const name of all.filter((each) => fs.statSync(path.join(folder, each)).isFile())) {
    const to = path.join(root, placeOf(name));
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(path.join(folder, name), to);
    fs.chmodSync(to, 0o644);
  }
}

/** Where a file of the folder systemd/ belongs. */
function placeOf(name: string): string {
  const { name: stem, ext } = path.parse(name);
  if (ext === '.sysusers') return `etc/sysusers.d/${stem}.conf`;
  if (ext === '.tmpfiles') return `etc/tmpfiles.d/${stem}.conf`;
  return `etc/systemd/system/${name}`;
}

/** Ids that the machine's own system users may have or get: those inside get lower ones. */
const TAKEN = Array.from({ length: 40 }, (_, i) => String(999 - i));

/** Adds an entry for each of TAKEN that has none: `entry` for a passwd or group file, `secret` for the file of its passwords. */
function takeIds(etc: string, [file, entry]: readonly [string, string], [secrets, secret]: readonly [string, string]): void {
  const lines = fs.readFileSync(path.join(etc, file), 'utf8').split('\n');
  const free = TAKEN.filter((id) => !lines.some((line) => line.split(':')[2] === id));
  const add = (to: string, text: string): void => {
    fs.appendFileSync(path.join(etc, to), free.map((id) => `${text.replaceAll('ID', id)}\n`).join(''));
  };
  add(file, entry);
  add(secrets, secret);
}

/** Copies what everybody may read, as root's; secrets are what not everybody may read. */
function copyReadable(from: string, to: string): void {
  fs.cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => {
      if (NOT_COPIED.test(path.relative(from, source))) return false;
      // The tests outside come and go in there, too.
      const stats = fs.lstatSync(source, { throwIfNoEntry: false });
      if (stats === undefined) return false;
      return (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) && (stats.mode & 0o004) !== 0;
    },
  });
}

/** The machine's system accounts without their passwords, and without the service's user: sysusers makes it at boot. */
function copyAccounts(etc: string): void {
  const write = (file: string, lines: readonly string[], mode: number): void => {
    fs.writeFileSync(path.join(etc, file), lines.map((line) => `${line}\n`).join(''), { mode });
  };
  const [users, groups] = [systemEntries('passwd'), systemEntries('group').map(([name = '', , gid = '']) => [name, 'x', gid, ''])];
  write(
    'passwd',
    users.map((user) => user.join(':')),
    0o644,
  );
  write(
    'group',
    groups.map((group) => group.join(':')),
    0o644,
  );
  write(
    'shadow',
    users.map(([name = '']) => `${name}:*:20000:0:99999:7:::`),
    0o640,
  );
  write(
    'gshadow',
    groups.map(([name = '']) => `${name}:*::`),
    0o640,
  );
  const shadow = Number(groups.find(([name]) => name === 'shadow')?.[2] ?? 0);
  for (const file of ['shadow', 'gshadow']) fs.chownSync(path.join(etc, file), 0, shadow);
}

/** The entries of system accounts in passwd or group, each as its fields. */
function systemEntries(file: string): string[][] {
  const entries = fs
    .readFileSync(`/etc/${file}`, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  return entries.filter(([name, , id]) => name !== 'notp' && id !== undefined && (Number(id) < 1000 || Number(id) === 65_534));
}

/** Boots to multi-user with sshd, and with nothing else that is not part of systemd. */
function enableUnits(units: string): void {
  fs.mkdirSync(path.join(units, 'multi-user.target.wants'), { recursive: true });
  fs.symlinkSync('/usr/lib/systemd/system/multi-user.target', path.join(units, 'default.target'));
  for (const link of ['multi-user.target.wants/ssh.service', 'sshd.service']) {
    fs.symlinkSync('/usr/lib/systemd/system/ssh.service', path.join(units, link));
  }
}
