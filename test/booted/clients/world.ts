/** A booted host with every client on it, two people enrolled at notp and at pam_google_authenticator, and a robot that a rule lets in. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CLIENT_KEY } from '../../support/container-root.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import type { Container } from '../../support/container.ts';
import { sleep } from '../../support/process.ts';
import { oathCode, type Enrolled } from '../../support/world.ts';
import { assertDone, bootHost, type Host } from '../setup/world.ts';
import { FILE, KEY, type At, type Call, type Door } from './client.ts';

export interface Used {
  /** Null where it had to be killed. */
  readonly code: number | null;
  readonly output: string;
}

export interface ClientsWorld {
  /** Opens a door for everybody, and shuts the others: notp's as `notp setup` writes them. */
  open(door: Door): Promise<void>;
  /** A login of somebody who has a code; of the robot, who has none, with `robot`. */
  at(door: Door, who: 'coded' | 'bare' | 'robot'): At;
  use(call: Call): Promise<Used>;
  /** Whether this is in the home of the user. */
  hasLeft(user: string, file: string): boolean;
}

const PEOPLE = ['alice', 'bob'] as const;
const ROBOT = 'robot';
const GOOGLE_PORT = 2222;
/** So that whoever waits for somebody to type waits longer than the test does. */
const CONFIGURATION = `[[rule]]
users = ["${ROBOT}"]
from = ["127.0.0.1"]
keys = ["ssh-ed25519"]
ask = "nothing"
reason = "ticket OPS-12"
[gate]
timeout = "10m"
`;
const CLIENT_CONFIGURATION = `Host gate
  SendEnv LC_NOTP
Host google
  Port ${String(GOOGLE_PORT)}
Host *
  HostName 127.0.0.1
  IdentityFile ${CLIENT_KEY}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
`;
const GOOGLE_SSHD = `Port ${String(GOOGLE_PORT)}
ListenAddress 127.0.0.1
PidFile none
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
AuthenticationMethods publickey,keyboard-interactive:pam
Subsystem sftp /usr/lib/openssh/sftp-server
`;
const GOOGLE_PAM = `auth required pam_google_authenticator.so
@include common-account
@include common-session
`;

export async function bootClients(): Promise<ClientsWorld> {
  const host = await bootHost('clients');
  const { container, alice, bob } = host;
  const robot = await addContainerUser(container, ROBOT);
  host.write('/etc/notp/notp.toml', CONFIGURATION);
  await setUpClients(host, [alice.name, bob.name, robot.name]);
  // A rule is the service's to read: it needs the socket, though nobody is enrolled.
  await container.must(['systemctl', 'enable', '--now', '--quiet', `notp@${String(robot.uid)}.socket`]);
  const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEH';
  await setUpGoogle(host, secret);
  const codes: Record<string, string[]> = {};
  let [turn, count] = [0, 0];
  const another = (user: string, door: Door): string => {
    if (door === 'google') return oathCode(secret);
    const code = codes[user]?.pop();
    assert.ok(code !== undefined, `${user} has no code left`);
    return code;
  };
  return {
    open: async (door) => {
      await host.clear();
      await container.run(['systemctl', 'stop', 'google']);
      if (door === 'google') {
        await container.must(['systemd-run', '--quiet', '--unit=google', '/usr/sbin/sshd-google', '-D', '-f', '/etc/ssh/google_config']);
        await untilAnswered(container, GOOGLE_PORT);
        return;
      }
      for (const user of [alice, bob]) {
        const words = ['notp-enroll', user.name, '--replace', '--no-confirm', '--json', '--recovery', '32'];
        const { recovery } = JSON.parse(await container.must(words)) as Enrolled;
        codes[user.name] = [...recovery];
      }
      assertDone(await host.setup(door, '--apply', '--confirm-within', 'never'));
      await untilAnswered(container, 22);
    },
    at: (door, who) => {
      const user = who === 'robot' ? ROBOT : (PEOPLE[turn++ % PEOPLE.length] ?? '');
      const code = (): string => (who === 'coded' ? another(user, door) : '');
      const port = door === 'google' ? GOOGLE_PORT : 22;
      return { ...{ door, user, port }, to: `${user}@${door}`, code: code(), another: code, name: `made-${String(10_000 + count++)}` };
    },
    use: (call) => use(container, call),
    hasLeft: (user, file) => fs.existsSync(path.join(container.root, 'home', user, file)),
  };
}

async function use(container: Container, { words, environment = {}, input = '', typed }: Call): Promise<Used> {
  if (typed === undefined) {
    // Without the terminal of whoever runs the tests.
    const { code, stdout, stderr } = await container.run(['setsid', '--wait', ...words], { environment, input });
    return { code, output: stdout + stderr };
  }
  const terminal = container.inTerminal(words, { environment });
  for (const [question, answer] of typed) {
    await terminal.expect(question);
    terminal.send(`${answer}\r`);
  }
  return { code: await terminal.exited, output: terminal.output() };
}

/** What the clients use: keys in their formats, a program that is asked, a file, a folder and a repository. */
async function setUpClients({ container, ...host }: Host, users: readonly string[]): Promise<void> {
  host.write('/root/.ssh/config', CLIENT_CONFIGURATION, 0o600);
  host.write('/root/askpass', '#!/bin/sh\necho "$CODE"\n', 0o755);
  const script = `set -e
echo content >'${FILE}'
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
mkdir -p /root/folder /root/work /root/.putty/sessions && cp '${FILE}' /root/folder
puttygen ${KEY} -O private -o ${KEY}.ppk
ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2 >/root/hostkey
dropbearconvert openssh dropbear ${KEY} ${KEY}.dropbear 2>/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
git init --quiet /root/work && git -C /root/work commit --quiet --allow-empty --message first`;
  await container.must(['sh', '-c', script]);
  for (const user of users) await container.must(['git', 'init', '--quiet', '--bare', 'repository'], { as: user });
}

/** Another sshd, with pam_google_authenticator behind a service of PAM of its own. */
async function setUpGoogle(host: Host, secret: string): Promise<void> {
  const { container, alice, bob } = host;
  for (const { name, home } of [alice, bob]) {
    host.write(`${home}/.google_authenticator`, `${secret}\n" WINDOW_SIZE 17\n" TOTP_AUTH\n`, 0o600);
    await container.must(['chown', `${name}:${name}`, `${home}/.google_authenticator`]);
  }
  host.write('/etc/pam.d/sshd-google', GOOGLE_PAM);
  host.write('/etc/ssh/google_config', GOOGLE_SSHD);
  // sshd takes its name for that of the service of PAM.
  await container.must(['ln', '-s', 'sshd', '/usr/sbin/sshd-google']);
}

/** sshd begins anew when it is reloaded. */
async function untilAnswered(container: Container, port: number): Promise<void> {
  const answers = async (): Promise<boolean> => (await container.run(['ssh-keyscan', '-p', String(port), '127.0.0.1'])).stdout !== '';
  for (const deadline = Date.now() + 20_000; !(await answers()); await sleep(100)) {
    assert.ok(Date.now() < deadline, `nobody answers at port ${String(port)}`);
  }
}
