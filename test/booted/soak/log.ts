/** What people saw in a soak beside what the logs say of it. */
import type { Logged } from '../service/world.ts';
import type { Came } from './people.ts';

export interface Try extends Came {
  readonly user: string;
  readonly proof: string;
}

/**
 * Where they differ, a sentence each: every login and every refusal that was told has its record, and none was accepted that nobody saw;
 * but a killed service may have recorded what it could not tell. `own`: the records in users' own logs, where a gate writes that
 * reached no service.
 */
export function unlike(tries: readonly Try[], records: readonly Logged[], own: readonly Logged[]): string[] {
  const byRef = new Map([...records, ...own].map((record) => [record.ref, record]));
  const recorded = ({ ref }: Try): Logged | undefined => (ref === undefined ? undefined : byRef.get(ref));
  const found: string[] = [];
  const lost = tries.filter((each) => each.ref !== undefined && recorded(each) === undefined);
  if (lost.length > 0) found.push(`no record of ${lost.map(({ said }) => said).join(' | ')}`);
  const judged = own.filter(({ event, reason }) => event !== 'login.refused' || reason !== 'store_unavailable');
  if (judged.length > 0) found.push(`judged by a user's own state: ${JSON.stringify(judged)}`);
  for (const user of new Set(tries.map((each) => each.user))) {
    const theirs = tries.filter((each) => each.user === user);
    const logins = theirs.filter((each) => each.in).length;
    // Nobody knows what was decided: the service did not say it.
    const unheard = theirs.filter((each) => !each.in && (recorded(each)?.reason ?? 'store_unavailable') === 'store_unavailable').length;
    const accepted = records.filter((record) => record.user === user && record.event === 'login.accepted').length;
    if (accepted < logins || accepted > logins + unheard)
      found.push(`${user}: ${String(accepted)} records of a login, ${String(logins)} logins, ${String(unheard)} tries without an answer`);
  }
  return found;
}
