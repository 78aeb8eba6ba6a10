/** Users of a container, and logins of theirs with the real ssh client inside it, through its sshd.service. */
import * as path from 'node:path';
import { CLIENT_KEY } from './container-root.ts';
import type { Container, InsideOptions } from './container.ts';
import type { Ran, Terminal } from './process.ts';
import type { TestUser } from './world.ts';

export interface SshInOptions extends InsideOptions {
  readonly sshOptions?: readonly string[];
}

/** Makes a user with a home, a shell, no password, and root's client key in authorized_keys. */
export async function addContainerUser(container: Container, name: string): Promise<TestUser> {
  await container.must(['useradd', '--create-home', '--shell', '/bin/bash', '--password', '*', name]);
  const [, , uid = '', gid = '', , home = ''] = (await container.must(['getent', 'passwd', name])).split(':');
  const ssh = path.join(home, '.ssh');
  await container.must(['install', '-d', '-m', '0700', '-o', name, '-g', name, ssh]);
  await container.must(['install', '-m', '0600', '-o', name, '-g', name, `${CLIENT_KEY}.pub`, path.join(ssh, 'authorized_keys')]);
  return { name, uid: Number(uid), gid: Number(gid), home };
}

/** Runs ssh as the container's root, with its key, to `user`. */
export async function sshIn(
  container: Container,
  user: TestUser,
  words: readonly string[] = [],
  { sshOptions = [], ...options }: SshInOptions = {},
): Promise<Ran> {
  return await container.run([...sshCommand(user, sshOptions), ...words], options);
}

/** The same in a terminal, and with one on the server. */
export function sshInTerminal(
  container: Container,
  user: TestUser,
  words: readonly string[] = [],
  { sshOptions = [], ...options }: SshInOptions & { columns?: number } = {},
): Terminal {
  return container.inTerminal([...sshCommand(user, ['-t', ...sshOptions]), ...words], options);
}

export function sshCommand({ name }: Pick<TestUser, 'name'>, options: readonly string[] = [], key = CLIENT_KEY): string[] {
  const hosts = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'];
  return ['ssh', '-F', 'none', '-i', key, '-o', 'IdentitiesOnly=yes', ...hosts, ...options, `${name}@127.0.0.1`];
}
