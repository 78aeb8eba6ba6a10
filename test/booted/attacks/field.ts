/** Where the attacks are tried: a booted host with a real sshd, alice who is enrolled, and an attacker who has her key. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Finding } from '../../../src/doctor/finding.ts';
import { bootContainer, installInto, type Container } from '../../support/container.ts';
import { CLIENT_KEY, SSHD_CONFIG } from '../../support/container-root.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import type { Ran } from '../../support/process.ts';
import { oathCode, type Enrolled, type TestUser } from '../../support/world.ts';
import { PLAIN, type Attack, type Outcome, type Situation } from './attack.ts';

export interface Field {
  readonly container: Container;
  readonly alice: TestUser;
  /** Brings a situation about, with `lines` of sshd_config before its own, and has the running sshd read them. */
  bring(situation: Situation, lines?: readonly string[]): Promise<void>;
  /** Tries it. Throws where the attacker could not even begin. */
  attempt(attack: Attack): Promise<Outcome>;
  /** What `notp doctor` says is not in order with the host and with alice. */
  doctor(): Promise<Finding[]>;
  /** `notp setup …` as root. */
  setup(...words: readonly string[]): Promise<Ran>;
  enrol(): Promise<Enrolled>;
  /** A login as alice with what the phone shows. */
  login(code: string): Promise<Ran>;
}

const PRELUDE = fs.readFileSync(path.join(import.meta.dirname, 'prelude.sh'), 'utf8');
const RESTRICTED_KEY = '/root/.ssh/restricted';

/** More connections at once than Debian's sshd takes. */
const BASE = `${SSHD_CONFIG}MaxStartups 200\n`;

/** How the attacker's ssh finds the host, coming from outside (victim) and as one who is on it already (itself). */
const CLIENT = `Host victim
  BindAddress 127.0.0.2
Host *
  HostName 127.0.0.1
  User alice
  IdentityFile ${CLIENT_KEY}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ExitOnForwardFailure yes
  BatchMode yes
`;

export async function bootField(name: string): Promise<Field> {
  const container = await bootContainer(name, prepare);
  const inRoot = (file: string): string => path.join(container.root, file);
  await container.must(['notp', 'host-key', 'init']);
  const alice = await addContainerUser(container, 'alice');
  fs.writeFileSync(inRoot('/root/.ssh/config'), CLIENT, { mode: 0o600 });
  await container.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', RESTRICTED_KEY]);
  const enrol = async (): Promise<Enrolled> =>
    JSON.parse(await container.must(['notp-enroll', 'alice', '--replace', '--no-confirm', '--json'])) as Enrolled;
  await enrol();
  const begin = async (situation: Situation, lines: readonly string[] = []): Promise<void> => {
    await bring(container, alice, situation, lines);
  };
  await begin(PLAIN);
  return {
    ...{ container, alice, enrol, bring: begin },
    attempt: async (attack) => await attempt(container, alice, attack),
    doctor: async () => await doctor(container),
    setup: async (...words) => await container.run(['notp', 'setup', ...words]),
    login: async (code) =>
      await container.run(['ssh', '-o', 'SendEnv=LC_NOTP', 'victim', 'echo', 'in'], { environment: { LC_NOTP: code }, timeoutMs: 30_000 }),
  };
}

function prepare(root: string): void {
  installInto(root);
  // PAM services of other tests on this machine are none of this host.
  const services = path.join(root, 'etc/pam.d');
  for (const name of fs.readdirSync(services).filter((each) => each.includes('notp'))) fs.rmSync(path.join(services, name));
}

async function bring(
  container: Container,
  { home }: TestUser,
  { lines: own, second, restrictedKey, shell = '/bin/bash' }: Situation,
  lines: readonly string[],
): Promise<void> {
  const write = (file: string, text: readonly string[]): void => {
    fs.writeFileSync(path.join(container.root, 'etc/ssh', file), `${text.join('\n')}\n`);
  };
  write('sshd_config', [BASE, ...lines, ...own]);
  write('second', ['ListenAddress 127.0.0.1', 'PidFile none', ...(second ?? [])]);
  const start =
    second === undefined ? 'true' : 'systemd-run --quiet --unit=second --property=Type=notify /usr/sbin/sshd -D -f /etc/ssh/second';
  const restart = `systemctl reset-failed ssh.service; systemctl restart ssh.service || exit; systemctl stop second.service 2>/dev/null; ${start}`;
  const key =
    restrictedKey === undefined ? '' : `command="id -un" ${fs.readFileSync(path.join(container.root, `${RESTRICTED_KEY}.pub`), 'utf8')}`;
  // The copy of her home too, which each attempt begins with.
  const keys = `for home in ${home} /tmp/home; do [ -d $home/.ssh ] && printf %s "$KEY" >$home/.ssh/authorized_keys2; done`;
  await container.must(['sh', '-c', `${keys}; usermod --shell ${shell} alice 2>/dev/null; ${restart}`], { environment: { KEY: key } });
}

async function attempt(container: Container, { uid, home }: TestUser, { id, script }: Attack): Promise<Outcome> {
  // A home as it was, whatever the attack before has planted in it.
  const begin = `[ -d /tmp/home ] || cp -a ${home} /tmp/home; rsync -a --delete --exclude=/.notp /tmp/home/ ${home}/`;
  const variables = { home, uid: String(uid), effect: `${home}/effect` };
  const ran = await container.run(['bash', '-c', `${begin}\n${PRELUDE}${script}`], { environment: variables, timeoutMs: 30_000 });
  assert.ok(ran.code === 0 || ran.code === 1, `${id}: ${String(ran.code)} ${ran.stdout}${ran.stderr}`);
  return ran.code === 0 ? 'open' : 'closed';
}

async function doctor(container: Container): Promise<Finding[]> {
  const { code, stdout, stderr } = await container.run(['notp', 'doctor', '--json']);
  const findings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
  assert.equal(code, findings.some(({ severity }) => severity === 'fail') ? 1 : 0, stderr);
  return findings.filter(({ severity, user }) => severity !== 'ok' && user !== 'root');
}

/** The code that an authenticator shows now. */
export function phone({ secret }: Enrolled): string {
  return oathCode(secret);
}
