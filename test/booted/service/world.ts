/** A booted host with the service installed and a gate in front of every login, people on it, and the phones they hold. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { AuditRecord } from '../../../src/audit/record.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../../support/container.ts';
import { addContainerUser, sshIn, sshInTerminal, type SshInOptions } from '../../support/container-ssh.ts';
import { sleep, type Ran, type Terminal } from '../../support/process.ts';
import { must, oathCode, secretShown, stepNow, type Enrolled, type TestUser } from '../../support/world.ts';

/** What a test file that boots the service passes to lacks(). */
export const SERVICE_NEEDS = { ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'journalctl'] } as const;

const SSHD = 'ExposeAuthInfo yes\nForceCommand /usr/bin/notp gate\n';
const PERIOD_MS = 30_000;
/** A code of the step before is right for so long at least, or is not given out. */
const SPARE_MS = 10_000;

/** One line of the audit log. */
export type Logged = AuditRecord & { readonly seq?: number };

export interface ServiceWorld {
  readonly container: Container;
  addUser(name: string): Promise<TestUser>;
  /** As root: `notp-enroll USER`, with a host seal and without a question; gives the phone. */
  enroll(user: TestUser, flags?: readonly string[]): Promise<Phone>;
  /** Logs in with `proof` in LC_NOTP, and runs `words`: unless told, who is there. */
  login(user: TestUser, proof: string, options?: SshInOptions & { words?: readonly string[] }): Promise<Ran>;
  /** The gate on a terminal, at its first question. */
  atPrompt(user: TestUser, options?: SshInOptions): Promise<Terminal>;
  /** The last records of `notp audit`, oldest first. */
  records(): Promise<readonly Logged[]>;
  /** The record that a refusal told the reference of. */
  recordOf(ran: { readonly stderr: string }): Promise<Logged | undefined>;
  /** The last record of a login. */
  lastLogin(): Promise<Logged | undefined>;
  /** Writes the configuration and stops the services, so that the next login reads it. */
  configure(text: string): Promise<void>;
  /** The pid of the user's service as it is inside the container; 0 where it does not run. */
  servicePid(user: TestUser): Promise<number>;
  /** A file of the container that is not below /run, /tmp or /dev, as a path outside. */
  outside(file: string): string;
}

/** Boots it with `toml` as configuration; the host key is made at boot. */
export async function bootService(
  name: string,
  { toml = '', prepare }: { toml?: string; prepare?: (root: string) => void } = {},
): Promise<ServiceWorld> {
  const container = await bootContainer(name, (root) => {
    installInto(root);
    fs.writeFileSync(path.join(root, 'etc/ssh/sshd_config.d/notp.conf'), SSHD);
    fs.mkdirSync(path.join(root, 'etc/notp'), { mode: 0o755 });
    if (toml !== '') fs.writeFileSync(path.join(root, 'etc/notp/notp.toml'), toml, { mode: 0o644 });
    must(['systemctl', `--root=${root}`, '--quiet', 'enable', 'notp-host-key.service']);
    prepare?.(root);
  });
  const records = async (): Promise<readonly Logged[]> => {
    const log = await container.must(['notp', 'audit', '--lines', '10000']);
    const lines = log.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Logged);
  };
  return {
    container,
    records,
    addUser: (user) => addContainerUser(container, user),
    enroll: async (user, flags = []) => {
      const json = await container.must(['notp-enroll', user.name, '--no-confirm', '--json', ...flags]);
      return phoneOf(JSON.parse(json) as Enrolled);
    },
    login: (user, proof, { words = ['id -un'], environment, sshOptions = [], ...options } = {}) =>
      sshIn(container, user, words, {
        ...options,
        environment: { ...environment, LC_NOTP: proof },
        sshOptions: ['-o', 'SendEnv=LC_NOTP', ...sshOptions],
      }),
    atPrompt: async (user, options) => {
      const terminal = sshInTerminal(container, user, [], options);
      await terminal.expect(/One-time code: /);
      return terminal;
    },
    recordOf: async ({ stderr }) => {
      const ref = /\(ref ([0-9a-f]{8})\)/.exec(stderr)?.[1];
      return (await records()).find((record) => record.ref === ref);
    },
    lastLogin: async () => (await records()).findLast(({ event }) => event.startsWith('login.')),
    configure: async (text) => {
      fs.writeFileSync(path.join(container.root, 'etc/notp/notp.toml'), text, { mode: 0o644 });
      await container.must(['systemctl', 'stop', 'notp@*.service']);
    },
    servicePid: async ({ uid }) =>
      Number(await container.must(['systemctl', 'show', '--property=MainPID', '--value', `notp@${String(uid)}.service`])),
    outside: (file) => path.join(container.root, file),
  };
}

/** Who holds the secret: gives codes that were not given before, oldest first, so that three logins need no waiting. */
export interface Phone extends Enrolled {
  code(): Promise<string>;
  /** One that was not given before. */
  recoveryCode(): string;
}

export function phoneOf(enrolled: Enrolled): Phone {
  let last = 0;
  const recovery = [...enrolled.recovery];
  return {
    ...enrolled,
    code: async () => {
      const left = PERIOD_MS - (Date.now() % PERIOD_MS);
      const step = Math.max(last + 1, left > SPARE_MS ? stepNow() - 1 : stepNow());
      if (step > stepNow() + 1) await sleep((step - 1) * PERIOD_MS - Date.now() + 100);
      last = step;
      return oathCode(enrolled.secret, { offsetSeconds: (step - stepNow()) * 30 });
    },
    recoveryCode: () => recovery.pop() ?? '',
  };
}

/** Reads the key of an enrolment on `terminal` and waits for the question after it; gives the phone that scanned it. */
export async function scanned(terminal: Terminal): Promise<Phone> {
  const secret = await secretShown(terminal);
  await terminal.expect(/One-time code: /);
  return phoneOf({ id: '', secret, uri: '', file: '', recovery: [] });
}

/** The recovery codes that an enrolment on `terminal` ends with. */
export async function recoveryCodes(terminal: Terminal): Promise<string[]> {
  const [text] = await terminal.expect(/Recovery codes[^]*?Enrolled /);
  return text.match(/^ {2}[A-Z2-7-]+(?=\r$)/gm)?.map((code) => code.trim()) ?? [];
}
