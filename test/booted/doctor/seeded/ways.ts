/** How somebody comes in at a seeded host, as the OpenSSH client does it: each way leaves a mark if a shell has run, or a server was reached. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CLIENT_KEY } from '../../../support/container-root.ts';
import type { Container } from '../../../support/container.ts';

export interface Way {
  /** For the table, after "gets in". */
  readonly name: string;
  /** More options of ssh. */
  readonly options?: readonly string[];
  /** What is typed where something is asked for; `code`: a right one. */
  readonly typed?: 'code' | (string & {});
  /** Words of the command in place of ssh with a command for a shell. */
  readonly command?: (ssh: readonly string[], user: string) => readonly string[];
  /** What it prints where it came in. */
  readonly mark?: string;
}

/** Where ssh gets its answers. */
const ASKPASS = '/usr/local/bin/answer';
/** Printed by a shell alone: the command itself is another text. */
const COMMAND = 'echo in-$((6 * 7))';
const MARK = 'in-42';
const NO_CODE = 'no code';
const OPTIONS = [
  'IdentitiesOnly=yes',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'NumberOfPasswordPrompts=1',
  'SendEnv=LC_NOTP',
].flatMap(optionOf);

/** The login password that a seed gives alice. */
export const PASSWORD = 'login secret';
/** Its command for sh. */
export const HAS_PASSWORD = `printf 'alice:%s\\n' '${PASSWORD}' | chpasswd`;

export const BY_KEY: Way = { name: '' };
export const BY_PASSWORD: Way = { name: 'with key and login password', typed: PASSWORD };
export const BY_CODE_ALONE: Way = {
  name: 'with a code alone',
  // The first of two passes takes one of the prompts.
  options: ['PubkeyAuthentication=no', 'PreferredAuthentications=keyboard-interactive', 'NumberOfPasswordPrompts=2'].flatMap(optionOf),
  typed: 'code',
};
/** For a shell that is forced, and knows no command of the client. */
export const BY_INPUT: Way = {
  name: 'with a command as input',
  command: (ssh, user) => ['sh', '-c', `echo '${COMMAND}' | "$@"`, 'sh', ...ssh, `${user}@127.0.0.1`],
};
export const BY_SFTP: Way = {
  name: 'by sftp',
  command: (ssh, user) => ['sh', '-c', 'echo pwd | sftp -b - "$@"', 'sh', ...ssh.slice(1), `${user}@127.0.0.1`],
  mark: 'Remote working directory',
};
/** Through a port of the host: no session, and so no gate. */
export const BY_PORT: Way = {
  name: 'as far as a port',
  command: (ssh, user) => [...ssh, '-W', '127.0.0.1:22', `${user}@127.0.0.1`],
  mark: 'SSH-2.0-',
};
const BUS = '/run/dbus/system_bus_socket';
const THROUGH = `import os, socket, subprocess, sys, tempfile, time
here = os.path.join(tempfile.mkdtemp(), 'bus')
ssh = subprocess.Popen([*sys.argv[1:-1], '-N', '-L', here + ':${BUS}', sys.argv[-1]], stdin=subprocess.DEVNULL)
for _ in range(200):
    if os.path.exists(here) or ssh.poll() is not None:
        break
    time.sleep(0.05)
try:
    bus = socket.socket(socket.AF_UNIX)
    bus.settimeout(10)
    bus.connect(here)
    bus.sendall(b'\\0AUTH\\r\\n')
    print(bus.recv(100))
finally:
    ssh.kill()`;
/** Through a socket of the host: D-Bus answers. */
export const BY_SOCKET: Way = {
  name: 'as far as D-Bus',
  command: (ssh, user) => ['python3', '-c', THROUGH, ...ssh, `${user}@127.0.0.1`],
  mark: 'REJECTED',
};

/** Through a device of the user's: packets, and no session. */
export const BY_TUNNEL: Way = {
  name: 'as far as a network device',
  command: (ssh, user) => ['sh', '-c', THROUGH_DEVICE, user, ...ssh, '-N', '-w', '9:6', `${user}@127.0.0.1`],
  mark: 'is up',
};
const THROUGH_DEVICE = `chmod 666 /dev/net/tun; ip tuntap add tun6 mode tun user "$0"; ip link set tun6 up
"$@" </dev/null & ssh=$!
for _ in $(seq 15); do ! ip link show tun6 | grep -q LOWER_UP || { echo is up; break; }; sleep 0.1; done
kill $ssh; ip link delete tun6`;
/** In a variable that the client sends: bash runs what stands in it before anything else, and prints as an error what that says. */
export const BY_VARIABLE: Way = {
  name: 'by a variable of the client',
  command: (ssh, user) => {
    const variables = `SetEnv=SHLVL=3 BASH_ENV="$(eval $SSH_ORIGINAL_COMMAND >&2)"`;
    return ['sh', '-c', '"$@" 2>&1', 'sh', ...ssh, '-o', variables, `${user}@127.0.0.1`, COMMAND];
  },
};
/** From a host whose key sshd knows, and that says who its user is: this host itself. */
export const BY_HOST: Way = {
  name: 'by the word of a host',
  command: (ssh, user) => {
    const options = ['EnableSSHKeysign=yes', 'HostbasedAuthentication=yes', 'PreferredAuthentications=hostbased'].flatMap(optionOf);
    return ['runuser', '-u', user, '--', ...ssh, ...options, `${user}@127.0.0.1`, COMMAND];
  },
};
const FTP = `import ftplib, os, sys
with ftplib.FTP('127.0.0.1', timeout=20) as ftp:
    ftp.login(sys.argv[1], os.environ['ANSWER'])
    print('in', ftp.pwd())`;
export const BY_FTP: Way = {
  name: 'by FTP with the login password',
  typed: PASSWORD,
  command: (_, user) => ['python3', '-c', FTP, user],
  mark: 'in /home/',
};
/** On the host: who has logged in, and knows root's password. */
export const BY_SU: Way = {
  name: "to root's shell with root's password",
  typed: PASSWORD,
  command: (_, user) => ['runuser', '-u', user, '--', 'sh', '-c', `echo "$ANSWER" | su -c '${COMMAND}'`],
};

/** Through the stack of a service as its program goes: the program itself is not there. */
export function throughPam(service: string): Way {
  return {
    name: 'through PAM with the login password',
    typed: PASSWORD,
    command: (_, user) => ['sh', '-c', `echo "$ANSWER" | pamtester ${service} ${user} authenticate acct_mgmt open_session`],
    mark: 'successfully opened a session',
  };
}

export function from(address: string): Way {
  return { name: `from ${address}`, options: ['-b', address] };
}

/** Writes what answers for ssh. */
export function writeAskpass(container: Container): void {
  fs.writeFileSync(path.join(container.root, ASKPASS), '#!/bin/sh\necho "$ANSWER"\n', { mode: 0o755 });
}

function optionOf(option: string): string[] {
  return ['-o', option];
}

interface Login {
  readonly way?: Way | undefined;
  /** A right code, for whoever types it or sends it along. */
  readonly code?: string | undefined;
  readonly port?: number | undefined;
}

/** Whether `user` comes in with the key of the tests. */
export async function comesIn(container: Container, user: string, { way = BY_KEY, code, port = 22 }: Login = {}): Promise<boolean> {
  const { options = [], typed, command, mark = MARK } = way;
  const ssh = ['ssh', '-F', 'none', '-o', `Port=${String(port)}`, '-i', CLIENT_KEY, ...options, ...OPTIONS];
  const words = command?.(ssh, user) ?? [...ssh, `${user}@127.0.0.1`, COMMAND];
  const sent = code === undefined || typed !== undefined ? {} : { LC_NOTP: code };
  const answer = typed === undefined || typed === 'code' ? (code ?? NO_CODE) : typed;
  const environment = { ANSWER: answer, SSH_ASKPASS: ASKPASS, SSH_ASKPASS_REQUIRE: 'force', ...sent };
  return (await container.run(words, { environment, timeoutMs: 60_000 })).stdout.includes(mark);
}
