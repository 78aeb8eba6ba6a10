/**
 * Which of many questions sshd answers alike: those on which the same lines of Match blocks have a say. It is asked once for all of them, as
 * hundreds of users and hundreds of networks make more pairs than sshd can be asked about. Pure.
 */
import { addressMatches, matcherOf, matchesPattern } from '../../system/ssh/patterns.ts';
import type { Criterion, MatchBlock } from './files.ts';
import type { Vantage } from './vantage.ts';

/** Somebody under a name, with the groups that sshd compares. */
export interface Asker {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Whether a block is for a place. `same`: unknown, but the same for all questions. `unknown`: any two may differ. */
type Say = 'yes' | 'no' | 'same' | 'unknown';

/**
 * Keywords of which sshd takes the first value alone, in every version. All lines of any other one count, so that more is asked than needed.
 */
const FIRST_COUNTS = new Set([
  ...['allowagentforwarding', 'allowstreamlocalforwarding', 'allowtcpforwarding', 'authenticationmethods', 'banner', 'chrootdirectory'],
  ...['clientalivecountmax', 'clientaliveinterval', 'disableforwarding', 'exposeauthinfo', 'forcecommand', 'gatewayports'],
  ...['gssapiauthentication', 'hostbasedauthentication', 'kbdinteractiveauthentication', 'loglevel', 'maxauthtries', 'maxsessions'],
  ...['pamservicename', 'passwordauthentication', 'permitemptypasswords', 'permitrootlogin', 'permittty', 'permittunnel', 'permituserrc'],
  ...['pubkeyauthentication', 'streamlocalbindunlink', 'x11forwarding'],
]);

/**
 * For each of `askers` and each of `vantages`, in this order, a number: the same for questions with the same answer. Equal rows are one array.
 * `blocks`: those of the configuration, in their order.
 */
export function outcomes(blocks: readonly MatchBlock[], askers: readonly Asker[], vantages: readonly Vantage[]): number[][] {
  const numbers = new Map<string, number>();
  const number = (key: string): number => {
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  };
  const counting = linesThatCount(blocks).filter(({ lines }) => lines.length > 0);
  const texts = counting.map(({ segment, before, lines }) => JSON.stringify([segment, before, lines]));
  // Each place is in few of hundreds of networks.
  const ofPlaces = vantages.map((vantage) =>
    counting.flatMap(({ criteria, isOfPeople }, at) => {
      const say = isOfPeople ? 'no' : sayOf(criteria, vantage);
      return say === 'no' ? [] : [{ at, say }];
    }),
  );
  const rowOf = (theirs: readonly number[]): number[] =>
    vantages.map((vantage, j) => {
      const own = theirs.map((at) => ({ at, say: sayOf(counting[at]?.criteria ?? [], vantage) }));
      return number(
        keyOf(
          [...own, ...(ofPlaces[j] ?? [])].toSorted((a, b) => a.at - b.at),
          counting,
          `${theirs.join()} at ${String(j)}`,
        ),
      );
    });
  // Many people are told apart by blocks that say the same.
  const [rows, equal] = [new Map<string, number[]>(), new Map<string, number[]>()];
  const blocksOf = blocksOfPeople(counting);
  return askers.map((asker) => {
    const theirs = blocksOf(asker);
    const own = theirs.map((at) => (counting[at]?.isOfPlaces === true ? String(at) : (texts[at] ?? '')));
    // To be told the same once more makes no difference.
    const key = (theirs.every((at) => counting[at]?.isOnce === true) ? [...new Set(own)] : own).join();
    const known = rows.get(key);
    if (known !== undefined) return known;
    const made = rowOf(theirs);
    const row = equal.get(made.join()) ?? made;
    equal.set(made.join(), row);
    rows.set(key, row);
    return row;
  });
}

/** Gives the indices of the blocks whose criteria of users and groups somebody meets, in order, but for those without such criteria. */
function blocksOfPeople(counting: readonly Counting[]): (asker: Asker) => number[] {
  const lists = { user: new Map<string, number[]>(), group: new Map<string, number[]>() };
  for (const [at, { criteria }] of counting.entries()) {
    const first = criteria.find(isOfAPerson);
    for (const pattern of first?.patterns ?? []) {
      const list = first?.name === 'user' ? lists.user : lists.group;
      list.set(pattern, [...(list.get(pattern) ?? []), at]);
    }
  }
  // A block is for those alone who match one of its patterns without "!".
  const [users, groups] = [[...lists.user], [...lists.group]];
  const [byName, byGroup] = [matcherOf(users.map(([pattern]) => pattern)), matcherOf(groups.map(([pattern]) => pattern))];
  return (asker) => {
    const found = [...byName([asker.name]).map((i) => users[i]), ...byGroup(asker.groups).map((i) => groups[i])];
    const candidates = new Set(found.flatMap((each) => each?.[1] ?? []));
    return [...candidates].filter((at) => isFor(counting[at]?.criteria ?? [], asker)).toSorted((a, b) => a - b);
  };
}

interface Counting {
  readonly criteria: readonly Criterion[];
  /** Whether it has a criterion of users or groups. */
  readonly isOfPeople: boolean;
  /** Whether it has another one. */
  readonly isOfPlaces: boolean;
  /** For each of its lines, the number of blocks before it that have a criterion of places, and a line that comes before that line. */
  readonly before: readonly number[];
  /** Whether of each of its keywords the first value alone counts. */
  readonly isOnce: boolean;
  /** Its lines but for those that have no say, as one of a block for everybody stands before them. */
  readonly lines: readonly (readonly [keyword: string, text: string])[];
  /** The number of blocks for everybody before it. */
  readonly segment: number;
}

function linesThatCount(blocks: readonly MatchBlock[]): Counting[] {
  const said = new Set<string>();
  const counting: Counting[] = [];
  const ofPlaces = new Map<string, number>();
  let [segment, all] = [0, 0];
  for (const { criteria, lines } of blocks) {
    if (criteria.length > 0) {
      const [isOfPeople, isOfPlaces] = [criteria.some(isOfAPerson), !criteria.every(isOfAPerson)];
      const own = lines.filter(([keyword]) => !said.has(keyword));
      const before = own.map(([keyword]) => (FIRST_COUNTS.has(keyword) ? (ofPlaces.get(keyword) ?? 0) : all));
      const isOnce = own.every(([keyword]) => FIRST_COUNTS.has(keyword));
      counting.push({ criteria, isOfPeople, isOfPlaces, before, isOnce, segment, lines: own });
      if (!isOfPlaces) continue;
      all++;
      for (const keyword of new Set(own.map(([each]) => each))) ofPlaces.set(keyword, (ofPlaces.get(keyword) ?? 0) + 1);
    } else {
      segment++;
      for (const [keyword] of lines) if (FIRST_COUNTS.has(keyword)) said.add(keyword);
    }
  }
  return counting;
}

/** The lines that have a say, in their order. `own`: stands for this question alone. */
function keyOf(blocks: readonly { readonly at: number; readonly say: Say }[], counting: readonly Counting[], own: string): string {
  const said = new Set<string>();
  const parts: unknown[] = [];
  for (const { at, say } of blocks) {
    if (say === 'unknown') return own;
    if (say === 'same') parts.push(at);
    const { lines, segment } = counting[at] ?? { lines: [], segment: 0 };
    if (say !== 'yes') continue;
    for (const [keyword, text] of lines.filter(([each]) => !said.has(each))) {
      if (FIRST_COUNTS.has(keyword)) said.add(keyword);
      parts.push(segment, keyword, text);
    }
  }
  return JSON.stringify(parts);
}

const OF_PEOPLE = ['user', 'group'];

function isOfAPerson({ name }: Criterion): boolean {
  return OF_PEOPLE.includes(name);
}

/** Whether the criteria of users and groups are met. */
function isFor(criteria: readonly Criterion[], { name: user, groups }: Asker): boolean {
  return criteria.filter(isOfAPerson).every(({ name, patterns }) => isInList(name === 'user' ? [user] : groups, patterns));
}

/** Whether the other criteria are met; the worst known of them counts. */
function sayOf(criteria: readonly Criterion[], vantage: Vantage): Say {
  const says = criteria.filter((each) => !isOfAPerson(each)).map((each) => atPlace(each, vantage));
  return (['no', 'unknown', 'same'] as const).find((say) => says.includes(say)) ?? 'yes';
}

function atPlace({ name, patterns }: Criterion, vantage: Vantage): Say {
  switch (name) {
    case 'host':
      return yesIf(
        isInList(
          [vantage.host.toLowerCase()],
          patterns.map((pattern) => pattern.toLowerCase()),
        ),
      );
    case 'address':
      return addressMatches(vantage.address, patterns.join());
    case 'localaddress':
      return addressMatches(vantage.localAddress, patterns.join());
    case 'localport':
      return yesIf(Number(patterns.join()) === vantage.localPort);
    case 'rdomain':
      return yesIf(isInList([vantage.routingDomain], patterns));
    default:
      return 'same';
  }
}

function yesIf(holds: boolean): Say {
  return holds ? 'yes' : 'no';
}

/** A negated pattern that matches excludes, whatever else does. */
function isInList(names: readonly string[], patterns: readonly string[]): boolean {
  const matches = (pattern: string): boolean => names.some((name) => matchesPattern(name, pattern));
  const denied = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  return !denied.some(matches) && patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern));
}
