/** `unenrolled = "enroll"`: a user whom sshd lets in, but who has no secret yet, makes one at the gate and then shows a code of it. */
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { cutAccount } from '../otp/names.ts';
import { RECOVERY_CODES } from '../otp/recovery.ts';
import type { Config } from '../system/config.ts';
import { say, sayHint } from '../terminal/printer.ts';
import type { User } from '../system/users.ts';
import { missingSocket } from '../login/open.ts';
import type { Outcome } from '../wire/verifier.ts';

/** Whether an enrolment here would change the refusal `outcome`. With a service it needs the socket that comes with an invitation. */
export function isToEnroll({ verdict }: Outcome, config: Config, user: User): boolean {
  const isUnenrolled = verdict.result === 'refused' && verdict.reason === 'not_enrolled';
  return config.unenrolled === 'enroll' && isUnenrolled && missingSocket(config, user) === undefined;
}

/**
 * Enrols `user` on this terminal with the configured defaults. Gives false where there is no terminal. Throws where the enrolment
 * is not completed.
 */
export async function enrollFirst(config: Config, user: User, now: () => number): Promise<boolean> {
  if (!isatty(0)) {
    sayHint('log in with a terminal once (ssh -t) to enrol');
    return false;
  }
  say('This host asks for one-time codes. Enrol now; then you log in with a code.\n');
  const { context, code } = config;
  const unset = { pending: false, user: undefined, seal: undefined, qr: undefined, qrFile: undefined, passphraseFile: undefined };
  const account = cutAccount(`${user.name}@${hostname()}`);
  const { enroll } = await import('../enrolment/enroll.ts');
  await enroll(config, { ...unset, ...code, context, account, recovery: RECOVERY_CODES, replace: false, confirm: true, json: false }, now);
  return true;
}
