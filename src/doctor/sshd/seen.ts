/** What sshd says of one user on every kind of connection: a check of one of them says nothing about the others. Pure. */
import type { Finding } from '../finding.ts';
import type { Effective } from './effective.ts';
import { placeOf, type Vantage } from './vantage.ts';

/** A configuration, and the connections that have it. */
export interface SeenFrom {
  readonly effective: Effective;
  readonly from: readonly Vantage[];
}

/** The different configurations of one user, over all connections. */
export type Seen = readonly SeenFrom[];

/** `answers`: equal ones of askServer() are one object. */
export function differing(answers: readonly { readonly vantage: Vantage; readonly effective: Effective }[]): Seen {
  const groups = Map.groupBy(answers, ({ effective }) => effective);
  return [...groups].map(([effective, all]) => ({ effective, from: all.map(({ vantage }) => vantage) }));
}

/** The findings about each configuration, each of them once. One that is not about all of them says from where it is. */
export function judgeEach(seen: Seen, judge: (effective: Effective) => readonly Finding[]): Finding[] {
  const found = seen.flatMap(({ effective, from }) => judge(effective).map((finding) => ({ finding, from })));
  return [...Map.groupBy(found, ({ finding }) => JSON.stringify(finding)).values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined) return [];
    if (new Set(all.map(({ from }) => from)).size === seen.length) return [first.finding];
    const { finding } = first;
    return [{ ...finding, detail: `${finding.detail}, from ${placesOf(all.flatMap(({ from }) => from))}` }];
  });
}

/** The places of connections, as text for people. */
export function placesOf(from: readonly Vantage[]): string {
  return [...new Set(from.map(placeOf))].join(', ');
}
