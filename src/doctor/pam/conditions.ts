/**
 * The accounts that a PAM stack exempts from the code by pam_succeed_if(8). Understands the conditions that `notp setup --user` and `--group`
 * write, and detects any others. Pure.
 */
import { namedFailures } from './control.ts';
import type { PamModule } from './stack.ts';

/** An account as PAM sees it. */
export interface PamAccount {
  readonly name: string;
  readonly uid: number;
  /** The groups of `name`. */
  readonly groups: readonly string[];
}

/** The PAM module that tests an account. */
export const CONDITION = 'pam_succeed_if.so';
const FLAGS: ReadonlySet<string> = new Set(['quiet', 'quiet_fail', 'quiet_success', 'debug', 'audit']);
const VALUES: Readonly<Record<string, (who: PamAccount) => readonly string[]>> = {
  'uid in': ({ uid }) => [String(uid)],
  'user in': ({ name }) => [name],
  'user ingroup': ({ groups }) => groups,
};

/** The test that the line makes of an account; undefined if it is not a condition in the form that `notp setup` writes. */
export function conditionOf({ module, control, words }: PamModule): ((who: PamAccount) => boolean) | undefined {
  if (module !== CONDITION || namedFailures(control).some(([failure]) => failure !== 'auth_err')) return undefined;
  const [field = '', operator = '', list = '', ...more] = words.filter((word) => !FLAGS.has(word));
  const valuesOf = VALUES[`${field} ${operator}`];
  if (valuesOf === undefined || more.length > 0) return undefined;
  const listed = list.split(':');
  return (who) => valuesOf(who).some((value) => listed.includes(value));
}

/** Whether the line may exempt accounts from the code, and notp cannot tell which. */
export function exemptsUnknown(line: PamModule): boolean {
  return line.module === CONDITION && namedFailures(line.control).length > 0 && conditionOf(line) === undefined;
}
