/** A private sshd on a high port of 127.0.0.1, and the real OpenSSH client for it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { startPrivateSshd, type PrivateSshdOptions } from '../../examples/try/private-sshd.ts';
import { run, runInTerminal, type Ran, type RunOptions, type Terminal } from './process.ts';
import type { TestUser } from './world.ts';

export interface Sshd {
  readonly port: number;
  readonly log: () => string;
  /** The words of an `ssh` command for `user`, with options before the host. */
  command(user: TestUser, options?: readonly string[]): string[];
  /** The same options for scp, sftp and rsync's -e. */
  options(): string[];
  ssh(user: TestUser, words?: readonly string[], options?: RunOptions & { sshOptions?: readonly string[] }): Promise<Ran>;
  sshInTerminal(user: TestUser, words?: readonly string[], sshOptions?: readonly string[]): Terminal;
  /** The client's key file; its public half is what authorize() puts in place. */
  readonly key: string;
  authorize(user: TestUser, prefix?: string): void;
  stop(): Promise<void>;
}

/** Where it is, if it is not on 127.0.0.1 of this host. */
export type Whereabouts = Pick<PrivateSshdOptions, 'address' | 'within'>;

/** Starts sshd with `lines` of configuration. `program` may be a symlink to sshd, whose name is the PAM service then. Stopped when the test file ends. */
export async function startSshd(
  folder: string,
  lines: readonly string[],
  program = '/usr/sbin/sshd',
  whereabouts: Whereabouts = {},
): Promise<Sshd> {
  const home = fs.mkdtempSync(path.join(folder, 'sshd-'));
  fs.chmodSync(home, 0o755);
  const server = await startPrivateSshd({ folder: home, lines: ['MaxStartups 200', ...lines], program, ...whereabouts });
  const { port, key, clientOptions, log } = server;
  const stop = async (): Promise<void> => await server.stop();
  atEnd(stop);
  const command = (user: TestUser, more: readonly string[] = []): string[] => [
    'ssh',
    ...clientOptions,
    ...more,
    `${user.name}@${whereabouts.address ?? '127.0.0.1'}`,
  ];
  return {
    ...{ port, key, log, stop, command },
    options: () => [...clientOptions],
    ssh: async (user, words = [], more = {}) => await run([...command(user, more.sshOptions), ...words], more),
    sshInTerminal: (user, words = [], sshOptions = ['-t']) => runInTerminal([...command(user, sshOptions), ...words]),
    authorize: (user, prefix = '') => {
      const ssh = path.join(user.home, '.ssh');
      fs.mkdirSync(ssh, { recursive: true, mode: 0o700 });
      fs.writeFileSync(path.join(ssh, 'authorized_keys'), `${prefix}${fs.readFileSync(`${key}.pub`, 'utf8')}`, { mode: 0o600 });
      for (const file of [ssh, path.join(ssh, 'authorized_keys')]) fs.chownSync(file, user.uid, user.gid);
    },
  };
}
