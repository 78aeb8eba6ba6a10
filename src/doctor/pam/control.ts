/** The control of a line of PAM: what follows from each answer of its module. Pure. See pam.conf(5). */

/** The historical words in brackets. */
const SHORT: Readonly<Record<string, string>> = {
  required: 'success=ok new_authtok_reqd=ok ignore=ignore default=bad',
  requisite: 'success=ok new_authtok_reqd=ok ignore=ignore default=die',
  sufficient: 'success=done new_authtok_reqd=done default=ignore',
  optional: 'success=ok new_authtok_reqd=ok default=ignore',
};

/** The pairs of a control, also of one that is a word. */
export function pairsOf(control: string): Map<string, string> {
  return new Map((SHORT[control] ?? control).split(/\s+/).map((pair) => pair.split('=') as [string, string]));
}

/** An answer of its own is `new_authtok_reqd`: the password is right, and has to be changed. */
const NO_FAILURE: ReadonlySet<string> = new Set(['success', 'new_authtok_reqd', 'ignore', 'default']);

/** The failures that a control tells apart from others, with what follows from each. */
export function namedFailures(control: string): (readonly [failure: string, action: string])[] {
  return [...pairsOf(control)].filter(([name]) => !NO_FAILURE.has(name));
}
