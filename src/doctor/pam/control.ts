/** The control field of a PAM line: the action for each return value of its module. Pure. See pam.conf(5). */

/** The one-word controls, written out in the bracket syntax. */
const SHORT: Readonly<Record<string, string>> = {
  required: 'success=ok new_authtok_reqd=ok ignore=ignore default=bad',
  requisite: 'success=ok new_authtok_reqd=ok ignore=ignore default=die',
  sufficient: 'success=done new_authtok_reqd=done default=ignore',
  optional: 'success=ok new_authtok_reqd=ok default=ignore',
};

/** The pairs "value=action" of a control, which may also be one word. */
export function pairsOf(control: string): Map<string, string> {
  return new Map((SHORT[control] ?? control).split(/\s+/).map((pair) => pair.split('=') as [string, string]));
}

/** Return values that are not failures. `new_authtok_reqd` means that the password is right but must be changed. */
const NO_FAILURE: ReadonlySet<string> = new Set(['success', 'new_authtok_reqd', 'ignore', 'default']);

/** The failures that a control names, with the action for each. */
export function namedFailures(control: string): (readonly [failure: string, action: string])[] {
  return [...pairsOf(control)].filter(([name]) => !NO_FAILURE.has(name));
}
