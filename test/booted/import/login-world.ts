/** The modules that logins come from, inside a container: the real google-authenticator, and the real modules of PAM through pamtester. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Container, CONTAINER_NEEDS } from '../../support/container.ts';
import { must, type TestUser } from '../../support/world.ts';

/** A module of PAM is no program; a shell finds it by its path all the same. */
const PAM_OATH = '/usr/lib/$(uname -m)-linux-gnu/security/pam_oath.so';
/** What a test file that uses these passes to lacks(). */
export const MODULE_NEEDS = {
  ...CONTAINER_NEEDS,
  programs: [...CONTAINER_NEEDS.programs, 'google-authenticator', 'pamtester', 'oathtool', PAM_OATH],
} as const;

const PERIOD_MS = 30_000;

/** What the tool wrote for a user. */
export interface Written {
  readonly secret: string;
  readonly emergency: readonly string[];
}

/** Runs google-authenticator as `user`, who has a new ~/.google_authenticator then. */
export async function googleAuthenticator(container: Container, user: TestUser, options: readonly string[]): Promise<Written> {
  await container.must(['google-authenticator', ...options, '--force', '--quiet', '--no-confirm'], { as: user.name });
  return writtenIn(container, user);
}

/** What the file of `user` holds now. */
export function writtenIn(container: Container, user: TestUser): Written {
  const lines = fs.readFileSync(path.join(container.root, user.home, '.google_authenticator'), 'utf8').split('\n');
  return { secret: lines[0] ?? '', emergency: lines.filter((line) => /^\d{8}$/.test(line)) };
}

/** Whether PAM lets `user` in by a stack of `module` alone and the typed `answer`. */
export async function lets(container: Container, module: string, user: string, answer: string): Promise<boolean> {
  fs.writeFileSync(path.join(container.root, 'etc/pam.d/moving'), `auth required ${module}\n`, { mode: 0o644 });
  return (await container.run(['pamtester', 'moving', user, 'authenticate'], { input: `${answer}\n` })).code === 0;
}

/** The code with that counter, by oathtool. */
export function counted(secret: string, counter: number, options: readonly string[] = ['-b']): string {
  return must(['oathtool', '--hotp', '-c', String(counter), ...options, secret]).trim();
}

/** The code of `steps` after now, by oathtool; `-b` for base32, else hex. */
export function timed(secret: string, steps: number, options: readonly string[] = ['-b']): string {
  const at = Math.floor((Date.now() + steps * PERIOD_MS) / 1000);
  return must(['oathtool', '--totp', '--now', `@${String(at)}`, ...options, secret]).trim();
}
