/** What google-authenticator left of a secret, its import, and logins with it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { PamWorld } from '../../doors/pam-world.ts';
import { run, type Ran } from '../../support/process.ts';
import { builtNotp, must, SOURCE_NOTP, type TestUser } from '../../support/world.ts';

export const EMERGENCY = ['11111111', '22222222', '33333333', '44444444'] as const;

/** What google-authenticator left in a file, and its codes. */
export interface Left {
  readonly file: string;
  readonly write: (emergency: readonly string[]) => void;
  readonly code: () => string;
  readonly at: (counter: number) => string;
}

export function left(folder: string, counter?: number): Left {
  const key = randomBytes(20).toString('hex');
  const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', key])) ?? [];
  const file = path.join(folder, key);
  const kind = counter === undefined ? ['" TOTP_AUTH', '" DISALLOW_REUSE'] : [`" HOTP_COUNTER ${String(counter)}`];
  const write = (emergency: readonly string[]): void => {
    fs.writeFileSync(file, [secret, ...kind, ...emergency, ''].join('\n'), { mode: 0o600 });
  };
  write(EMERGENCY);
  const code = (): string => must(['oathtool', '--totp', key]).trim();
  return { file, write, code, at: (each) => must(['oathtool', '--hotp', '--counter', String(each), key]).trim() };
}

export const on = ({ config }: PamWorld, ...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', config]);
export const importing = (world: PamWorld, { name }: Pick<TestUser, 'name'>, { file }: Left, ...words: string[]): Promise<Ran> =>
  on(world, 'import', ...words, '--from', 'google-authenticator', '--user', name, '--file', file, '--json');
export const done = async (ran: Promise<Ran>): Promise<string> => {
  const { code, stdout, stderr } = await ran;
  assert.equal(code, 0, stderr);
  return stdout;
};
export const leftIn = async (ran: Promise<Ran>): Promise<number> =>
  (JSON.parse(await done(ran)) as { recovery_left: number }).recovery_left;
export const login = async (world: PamWorld, { name }: Pick<TestUser, 'name'>, proof: string): Promise<string> => {
  const { code, stdout } = await world.pam(name, proof, { program: [builtNotp()] });
  return code === 0 ? 'in' : String(world.recordIn(stdout).reason);
};
