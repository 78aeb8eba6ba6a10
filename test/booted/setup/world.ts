/** A booted host with an administrator, who is enrolled and may use sudo, for the tests of `notp setup`. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createHash } from 'node:crypto';
import { bootContainer, installInto, type Container } from '../../support/container.ts';
import { addContainerUser, sshIn, sshInTerminal, type SshInOptions } from '../../support/container-ssh.ts';
import { ROOT, sleep, type Ran, type Terminal } from '../../support/process.ts';
import { oathCode, type Enrolled, type TestUser } from '../../support/world.ts';

export interface Host {
  readonly container: Container;
  readonly alice: TestUser;
  readonly bob: TestUser;
  /** Enrols `user` anew; the code of a fresh secret was never used. */
  enrol(user: TestUser): Promise<Enrolled>;
  /** A login of `user` by key, with `code` in LC_NOTP where there is one. */
  login(user: TestUser, words: readonly string[], code?: string): Promise<Ran>;
  /** A login of `user` by key, which asks in a terminal. */
  terminal(user: TestUser, words?: readonly string[], options?: SshInOptions & { columns?: number }): Terminal;
  /** `notp setup …` as root, in no login of SSH. */
  setup(...words: readonly string[]): Promise<Ran>;
  /** Writes a file of the host, as root's. */
  write(file: string, text: string, mode?: number): void;
  read(file: string): string;
  /** Undoes what a test has left in force, by whatever means. */
  clear(): Promise<void>;
}

export async function bootHost(name: string): Promise<Host> {
  const container = await bootContainer(name, installInto);
  await container.must(['notp', 'host-key', 'init']);
  const alice = await addContainerUser(container, 'alice');
  const bob = await addContainerUser(container, 'bob');
  const write = (file: string, text: string, mode = 0o644): void => {
    fs.writeFileSync(path.join(container.root, file), text);
    fs.chmodSync(path.join(container.root, file), mode);
  };
  write('/etc/sudoers.d/alice', 'alice ALL=(ALL) NOPASSWD: ALL\n', 0o440);
  const setup = async (...words: readonly string[]): Promise<Ran> => await container.run(['notp', 'setup', ...words]);
  return {
    ...{ container, alice, bob, write, setup },
    read: (file) => fs.readFileSync(path.join(container.root, file), 'latin1'),
    enrol: async (user) => {
      const words = ['notp-enroll', user.name, '--replace', '--no-confirm', '--json'];
      return JSON.parse(await container.must(words)) as Enrolled;
    },
    login: async (user, words, code) => {
      const send = code === undefined ? {} : { sshOptions: ['-o', 'SendEnv=LC_NOTP'], environment: { LC_NOTP: code } };
      for (const deadline = Date.now() + 10_000; ; await sleep(50)) {
        const ran = await sshIn(container, user, words, { timeoutMs: 30_000, ...send });
        // For a moment nobody listens: sshd begins anew when it is reloaded.
        if (!ran.stderr.includes('Connection refused') || Date.now() > deadline) return ran;
      }
    },
    terminal: (user, words = [], options = {}) => sshInTerminal(container, user, words, options),
    clear: async () => {
      if (fs.existsSync(path.join(container.root, 'var/lib/notp-setup'))) await setup('undo', '--force');
    },
  };
}

/** The code of a secret of its own, which nobody has used; the window of one step keeps it right for 30 s at least. */
export async function freshCode(host: Host, user: TestUser): Promise<string> {
  return oathCode((await host.enrol(user)).secret);
}

/** Waits for `question` and types `line`. */
export async function answer(terminal: Terminal, question: RegExp, line: string): Promise<void> {
  await terminal.expect(question);
  terminal.send(`${line}\r`);
}

/** Every file that a setup may touch: bytes, mode and owner. */
export function snapshot({ container }: Host): Readonly<Record<string, string>> {
  const folders = ['etc/ssh', 'etc/pam.d', 'etc/notp', 'etc/systemd/system'].map((folder) => path.join(container.root, folder));
  const files = folders.flatMap((folder) =>
    fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  );
  const told = files.map((file) => {
    const { mode, uid, gid, size } = fs.lstatSync(file);
    const bytes = fs.lstatSync(file).isFile() ? createHash('sha256').update(fs.readFileSync(file)).digest('hex') : '';
    return [
      path.relative(container.root, file),
      `${mode.toString(8)} ${String(uid)}:${String(gid)} ${bytes === '' ? '' : String(size)} ${bytes}`,
    ];
  });
  return Object.fromEntries(told) as Record<string, string>;
}

/** Asserts that every file is as it was. */
export function assertAsBefore(host: Host, files: Readonly<Record<string, string>>): void {
  const now = snapshot(host);
  const names = [...new Set([...Object.keys(files), ...Object.keys(now)])];
  const other = names.filter((name) => files[name] !== now[name]);
  assert.deepEqual(
    other.map((name) => `${name}: ${files[name] ?? 'absent'} -> ${now[name] ?? 'absent'}`),
    [],
  );
}

/** Writes into common-auth what pam-auth-update writes for the profile of the package. Gives a function that takes it back. */
export function enableProfile(host: Host): () => void {
  const file = '/etc/pam.d/common-auth';
  const before = host.read(file);
  const profile = fs.readFileSync(path.join(ROOT, 'packaging/pam-configs/notp'), 'utf8');
  host.write(file, `${before}auth ${/^Auth:\n\t(.*)$/m.exec(profile)?.[1] ?? ''}\n`);
  return () => {
    host.write(file, before);
  };
}

/** Logs in until sshd, which begins anew when it is reloaded, answers. */
export async function loginOnceUp(host: Host, user: TestUser, words: readonly string[]): Promise<Ran> {
  for (const deadline = Date.now() + 10_000; ; await sleep(100)) {
    const ran = await host.login(user, words);
    if (!/Connection (refused|reset|closed)/.test(ran.stderr) || Date.now() > deadline) return ran;
  }
}

/** Waits until no setup is in force any more. */
export async function untilUndone({ container }: Host): Promise<void> {
  const newest = '/var/lib/notp-setup/$(ls /var/lib/notp-setup | grep Z- | tail -n 1)/undone';
  for (const deadline = Date.now() + 40_000; (await container.run(['sh', '-c', `test -e ${newest}`])).code !== 0; await sleep(200)) {
    assert.ok(Date.now() < deadline, 'nothing was undone');
  }
}

/** Asserts that a command said yes, and shows what it said where not. */
export function assertDone({ code, stdout, stderr }: Ran): void {
  assert.equal(code, 0, stdout + stderr);
}
