/** `notp enroll` and `notp-enroll`: make a new secret for a login, wherever the enrolments of its user are held. */
import { shellCommand } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import { sayHint, sayLine } from '../terminal/printer.ts';
import { openEnrolments } from './open.ts';
import { planOf, type EnrollOptions } from './plan.ts';
import { userNamed } from './whose.ts';

/** Throws as planOf() and Enrolments.enrol do. */
export async function enroll(config: Config, options: EnrollOptions, now: () => number): Promise<void> {
  const user = userNamed(options.user, { onlyRoot: 'enrol somebody else', hint: ({ name }) => shellCommand`sudo notp-enroll ${name}` });
  const own = { config, user, now };
  const enrolments = openEnrolments(own);
  const plan = planOf(own, options, enrolments.heldBy);
  if (!options.pending) {
    await enrolments.enrol(plan);
    return;
  }
  await enrolments.invite(plan.origin.context);
  sayLine(`Invited: ${user.name} may enrol once, with notp enroll`);
  if (config.unenrolled !== 'enroll') sayHint('with unenrolled = "enroll" in the configuration the gate asks for it at the next login');
}
