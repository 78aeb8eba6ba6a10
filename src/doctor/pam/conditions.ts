/**
 * Whom a PAM stack exempts from the code by pam_succeed_if(8): the conditions that `notp setup --user` and `--group` write, read back, and
 * whether there are others. Pure.
 */
import { namedFailures } from './control.ts';
import type { PamModule } from './stack.ts';

/** An account as PAM calls it. */
export interface Who {
  readonly name: string;
  readonly uid: number;
  /** Those of the name. */
  readonly groups: readonly string[];
}

/** The module that asks about an account. */
export const CONDITION = 'pam_succeed_if.so';
const FLAGS: ReadonlySet<string> = new Set(['quiet', 'quiet_fail', 'quiet_success', 'debug', 'audit']);
const VALUES: Readonly<Record<string, (who: Who) => readonly string[]>> = {
  'uid in': ({ uid }) => [String(uid)],
  'user in': ({ name }) => [name],
  'user ingroup': ({ groups }) => groups,
};

/** Tells whether the line holds for an account; undefined where it is no condition of the form that `notp setup` writes. */
export function conditionOf({ module, control, words }: PamModule): ((who: Who) => boolean) | undefined {
  if (module !== CONDITION || namedFailures(control).some(([failure]) => failure !== 'auth_err')) return undefined;
  const [field = '', operator = '', list = '', ...more] = words.filter((word) => !FLAGS.has(word));
  const valuesOf = VALUES[`${field} ${operator}`];
  if (valuesOf === undefined || more.length > 0) return undefined;
  const listed = list.split(':');
  return (who) => valuesOf(who).some((value) => listed.includes(value));
}

/** Whether the line may lead accounts past the code of which it cannot be told which ones. */
export function exemptsUntold(line: PamModule): boolean {
  return line.module === CONDITION && namedFailures(line.control).length > 0 && conditionOf(line) === undefined;
}
