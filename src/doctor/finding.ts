/** What doctor says about one thing that it looked at, and how findings are sorted and folded. Pure. */
export type Severity = 'ok' | 'info' | 'warn' | 'fail';

export interface Finding {
  /** Stable, for scripts. */
  readonly id: string;
  readonly severity: Severity;
  /** One sentence. */
  readonly title: string;
  /** What was found where. */
  readonly detail: string;
  /** One line; empty where nothing needs mending. */
  readonly fix: string;
  /** Whose login; absent for the host. */
  readonly user?: string;
}

/** A finding of many users: the same one but for the user. */
export interface Folded extends Omit<Finding, 'user'> {
  /** Empty for the host. */
  readonly users: readonly string[];
}

/** Mark that sshd, or whoever is enrolled, could not be looked at, which is no answer. */
export const UNSEEN = 'sshd-unseen';
export const PEOPLE_UNSEEN = 'people-unseen';
const ORDER: readonly Severity[] = ['fail', 'warn', 'info', 'ok'];

/** Says that all is well with something. */
export function ok(id: string, title: string, detail = ''): Finding {
  return { id, severity: 'ok', title, detail, fix: '' };
}

/** Whether sshd and its users could be looked at; where they could not, that no check failed says nothing. */
export function couldCheck(findings: readonly Finding[]): boolean {
  return !findings.some(({ id }) => id === UNSEEN || id === PEOPLE_UNSEEN);
}

/** Worst first, then the host before users by name; else in the order in which they were found, for sshd is what matters most. */
export function sorted(findings: readonly Finding[]): Finding[] {
  const rank = ({ severity }: Finding): number => ORDER.indexOf(severity);
  return findings.toSorted((a, b) => rank(a) - rank(b) || compare(a.user ?? '', b.user ?? ''));
}

/** One for each that differs in more than the user, in the order of their first. */
export function folded(findings: readonly Finding[]): Folded[] {
  const groups = Map.groupBy(findings, (finding) => JSON.stringify({ ...finding, user: undefined }));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { id, severity, title, detail, fix } = first;
    return [{ ...{ id, severity, title, detail, fix }, users: [...new Set(group.flatMap(({ user }) => user ?? []))] }];
  });
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
