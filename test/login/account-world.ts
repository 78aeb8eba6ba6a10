/** An account of alice with more than one device, judged in this process. */
import type { SealedFile } from '../../src/seal/file.ts';
import type { DeviceFile } from '../../src/system/secrets.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { revoke } from '../../src/enrolment/registrar.ts';
import { ORIGIN, type LocalWorld } from './local-world.ts';

export const WRONG = { kind: 'code', code: '000000' } as const;
/** The contexts of logins, which share one budget. */
export const ACCOUNT: readonly string[] = ['ssh', 'backup'];

export function deviceFile(file: SealedFile): DeviceFile {
  return { context: file.context, found: { kind: 'sealed', file } };
}

/** To be judged on these files, the first of which is what the door asks for. */
export function on(files: readonly DeviceFile[], account = ACCOUNT): Partial<Login & Terms> {
  return { files, account, origin: { ...ORIGIN, context: files[0]?.context ?? '' } };
}

/** What each enrolment of the account has left. */
export async function tokens(world: LocalWorld): Promise<(number | undefined)[]> {
  const found = await Promise.all(ACCOUNT.map((context) => world.enrolment(context)));
  return found.map((each) => each?.state.bucket.tokens);
}

export async function end(world: LocalWorld, context: string): Promise<void> {
  await world.withState((state) => revoke(state, { ...ORIGIN, context }));
}
