/** `unenrolled = "enroll"`: who is let in by sshd but has no secret yet makes one at the gate, and then shows a code of it. */
import type { Config } from '../system/config.ts';
import { say } from '../system/printer.ts';
import type { User } from '../system/users.ts';
import type { Outcome } from '../verifier/verifier.ts';

/** Whether `outcome` is one that an enrolment mends here. */
export function isToEnroll({ verdict }: Outcome, config: Config): boolean {
  return config.unenrolled === 'enroll' && verdict.result === 'refused' && verdict.reason === 'not_enrolled';
}

/** Enrols `user` on this terminal with the configured defaults. Throws where the enrolment is not completed. */
export async function enrollFirst(config: Config, user: User, now: () => number): Promise<void> {
  say('You have no one-time codes on this host yet, and it asks for them. Enrol now; then you log in with a code.\n');
  const [{ enroll }, { hostname }] = await Promise.all([import('../commands/enroll.ts'), import('node:os')]);
  const { context, code } = config;
  const unset = { user: undefined, seal: undefined, qr: undefined, qrFile: undefined, passphraseFile: undefined };
  const account = `${user.name}@${hostname()}`;
  await enroll(config, { ...unset, ...code, context, account, recovery: 10, replace: false, confirm: true, json: false }, now);
}
