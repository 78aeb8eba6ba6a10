/** A finding is the result of one check of doctor. Here findings are sorted, and equal ones of several users merged. Pure. */
export type Severity = 'ok' | 'info' | 'warn' | 'fail';

export interface Finding {
  /** Stable, for scripts. */
  readonly id: string;
  readonly severity: Severity;
  /** One sentence. */
  readonly title: string;
  /** The file, line or value that was found. */
  readonly detail: string;
  /** The detail without what changes by itself, such as a pid; absent where nothing does. */
  readonly steady?: string;
  /** One line; empty if nothing needs fixing. */
  readonly fix: string;
  /** The user whose login it is about; absent if it is about the host. */
  readonly user?: string;
}

/** One finding about several users. */
export interface Folded extends Omit<Finding, 'user'> {
  /** Empty if it is about the host. */
  readonly users: readonly string[];
}

/** The id of the finding that doctor itself failed. */
export const NOT_RUN = 'doctor';
/** Ids of the findings that sshd, or the list of enrolled users, could not be checked. Then the absence of failures proves nothing. */
export const UNSEEN = 'sshd-unseen';
export const PEOPLE_UNSEEN = 'people-unseen';
const ORDER: readonly Severity[] = ['fail', 'warn', 'info', 'ok'];

/** A check that passed. */
export function ok(id: string, title: string, detail = ''): Finding {
  return { id, severity: 'ok', title, detail, fix: '' };
}

/** Marks what changes by itself in a detail, such as a pid, a size or the time; settled() takes the marks away. */
export function changing(value: number | string): string {
  return `\u{fdd0}${String(value)}\u{fdd1}`;
}

/** What is marked: only a number or a time, as a name in a detail may be a user's choice. */
const CHANGING = /\u{fdd0}([\d:.TZ-]*)\u{fdd1}/gu;

/** The finding without marks. */
export function settled(finding: Finding): Finding {
  const detail = finding.detail.replace(CHANGING, '$1');
  return detail === finding.detail ? finding : { ...finding, detail, steady: finding.detail.replace(CHANGING, '0') };
}

/** Whether sshd and its users could be checked at all. If not, the absence of failures proves nothing. */
export function couldCheck(findings: readonly Pick<Finding, 'id'>[]): boolean {
  return !findings.some(({ id }) => id === UNSEEN || id === PEOPLE_UNSEEN);
}

/** Worst first; then the host before users, and users by name; then in the order of the checks, as sshd matters most and comes first. */
export function sorted<T extends Pick<Finding, 'severity'> & { readonly user?: string | undefined }>(findings: readonly T[]): T[] {
  const rank = ({ severity }: T): number => ORDER.indexOf(severity);
  return findings.toSorted((a, b) => rank(a) - rank(b) || compare(a.user ?? '', b.user ?? ''));
}

/** Merges findings that differ only in the user, in the order of their first. */
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
