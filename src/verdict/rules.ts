/**
 * The rules of `notp.toml`: who is asked for a code, who gets in without one, and who is refused. The first rule that fits decides;
 * without one a code is asked for. Pure.
 *
 * A door may not know a fact: sudo tells no source address, a password login has no key, a directory may not answer about groups.
 * An unknown fact could have any value, so the strictest answer that any value could give is the one that holds:
 *
 * - `ask = "nothing"` fits only where every fact that the rule names is known and matches. Otherwise hiding a fact would open doors.
 * - `ask = "refuse"` fits also where a fact that it names is unknown. Otherwise hiding a fact would avoid a refusal.
 * - `ask = "code"` is stricter than some rules and milder than others. Where it perhaps fits, a later refusal still holds, since the
 *   rule may not fit; a later `nothing` does not, since it may fit. Nor does anything that a rule adds to the question for a code
 *   (`remember`, `enrol_by`): nobody knows which rule's would count.
 *
 * Where no first factor is known to have passed, nobody gets in without a code, whatever the rules say.
 */
import { isInNetwork, isWithin } from './address.ts';
import { matchesPattern } from './pattern.ts';

/** The keys of a rule that name facts. A rule fits where each of those that it has matches; a rule without any fits always. */
export const FACT_KEYS = ['users', 'services', 'from', 'keys', 'hosts'] as const;
export type FactKey = (typeof FACT_KEYS)[number];

export const ASKS = ['code', 'nothing', 'refuse'] as const;
export type Ask = (typeof ASKS)[number];

export interface Rule extends Readonly<Partial<Record<FactKey, readonly string[]>>> {
  readonly ask: Ask;
  /** With `code`: for how long an accepted code also lets in the same user with the same key from the same address, in milliseconds. */
  readonly rememberMs?: number | undefined;
  /** With `code`: until when a user who was never enrolled gets in, Unix time in milliseconds. */
  readonly enrolByMs?: number | undefined;
  readonly reason?: string | undefined;
  /** The line of the configuration, or of the rules in the store, where it begins. */
  readonly line: number;
  /** Whether it is in the store. */
  readonly inStore?: true;
}

/** What is known of a login. Undefined: unknown. */
export interface Facts {
  /** The canonical name of the account. */
  readonly user: string | undefined;
  /** Groups that the user is known to be in. */
  readonly groups: readonly string[];
  /** Groups that the user is known not to be in. Of every other group it is unknown. */
  readonly otherGroups: readonly string[];
  /** The PAM service. It is `sshd` also at the gate. */
  readonly service: string | undefined;
  readonly address: string | undefined;
  /** The type of the key that passed first, such as `ssh-ed25519`; empty where it is known that no key has. */
  readonly keyType: string | undefined;
  readonly host: string;
  /** Whether a first factor is known to have passed. */
  readonly firstFactor: boolean;
}

/** What the rules say about a login. */
export interface Ruling extends Pick<Rule, 'ask' | 'rememberMs' | 'enrolByMs'> {
  /** The rule that decided; undefined where none fits. */
  readonly rule?: Rule;
}

export type Fit = 'yes' | 'no' | 'unknown';

/** The ruling of `rules`, in their order, on a login. */
export function rulingOn(rules: readonly Rule[], facts: Facts): Ruling {
  let perhaps: Rule | undefined;
  for (const rule of rules) {
    const fit = fitOf(rule, facts);
    if (fit === 'no') continue;
    if (rule.ask === 'refuse') return { ask: 'refuse', rule };
    const isSure = fit === 'yes' && facts.firstFactor;
    if (isSure && perhaps === undefined) return { ask: rule.ask, rule, ...mercies(rule) };
    // Nothing milder than a code is left. Where this rule may not fit, a later one may still refuse.
    if (rule.ask === 'code') perhaps ??= rule;
    if (fit === 'yes' && (isSure || rule.ask === 'code')) break;
  }
  return perhaps === undefined ? { ask: 'code' } : { ask: 'code', rule: perhaps };
}

function mercies({ rememberMs, enrolByMs }: Rule): Pick<Ruling, 'rememberMs' | 'enrolByMs'> {
  return { ...(rememberMs === undefined ? {} : { rememberMs }), ...(enrolByMs === undefined ? {} : { enrolByMs }) };
}

/** Whether `rule` fits a login. */
export function fitOf(rule: Rule, facts: Facts): Fit {
  return all(FACT_KEYS.map((key) => fitBy(key, rule, facts)));
}

/** Whether what `rule` names by `key` fits. */
export function fitBy(key: FactKey, rule: Rule, facts: Facts): Fit {
  return any(rule[key]?.map((value) => FITS[key](value, facts)) ?? ['yes']);
}

const FITS: Readonly<Record<FactKey, (value: string, facts: Facts) => Fit>> = {
  users: (name, { user, groups, otherGroups }) => {
    if (!name.startsWith('@')) return where(user, (known) => known === name);
    const group = name.slice(1);
    return groups.includes(group) ? 'yes' : otherGroups.includes(group) ? 'no' : 'unknown';
  },
  services: (name, { service }) => where(service, (known) => isService(name, known)),
  from: (network, { address }) => where(address, (known) => isInNetwork(known, network)),
  keys: (pattern, { keyType }) => where(keyType, (known) => known !== '' && matchesPattern(known, pattern)),
  hosts: (pattern, { host }) => where(host, (known) => matchesPattern(known, pattern)),
};

/** PAM services of `sudo -i` and `su -`: a rule for sudo or su is also about them. */
const LOGIN_SHELLS: ReadonlyMap<string, string> = new Map([
  ['sudo-i', 'sudo'],
  ['su-l', 'su'],
]);

function isService(name: string, known: string): boolean {
  return name === known || name === LOGIN_SHELLS.get(known);
}

function where<T>(fact: T | undefined, matches: (known: T) => boolean): Fit {
  if (fact === undefined) return 'unknown';
  return matches(fact) ? 'yes' : 'no';
}

function any(fits: readonly Fit[]): Fit {
  return (['yes', 'unknown'] as const).find((fit) => fits.includes(fit)) ?? 'no';
}

function all(fits: readonly Fit[]): Fit {
  return (['no', 'unknown'] as const).find((fit) => fits.includes(fit)) ?? 'yes';
}

/** Whether `earlier` fits every login that `later` fits, so that `later` can never be reached. */
export function covers(earlier: Rule, later: Rule): boolean {
  return FACT_KEYS.every((key) => {
    const [outer, inner] = [earlier[key], later[key]];
    return outer === undefined || inner?.every((value) => outer.some((each) => COVERS[key](each, value))) === true;
  });
}

const same = (outer: string, inner: string): boolean => outer === inner;
/** A pattern is compared with another one only where it has no wildcards: "web?" does not contain "web*". */
const pattern = (outer: string, inner: string): boolean =>
  outer === inner || outer === '*' || (!/[*?]/.test(inner) && matchesPattern(inner, outer));

const COVERS: Readonly<Record<FactKey, (outer: string, inner: string) => boolean>> = {
  users: same,
  services: isService,
  from: (outer, inner) => isWithin(inner, outer),
  keys: pattern,
  hosts: pattern,
};

/** Whether a rule may let somebody in without a code: by itself, after an earlier code, or before the enrolment. */
export function mayLetIn({ ask, rememberMs, enrolByMs }: Rule): boolean {
  return ask === 'nothing' || rememberMs !== undefined || enrolByMs !== undefined;
}

/** Whether a rule can fit a login at `service`. */
export function concernsService({ services }: Pick<Rule, 'services'>, service: string): boolean {
  return services?.some((name) => isService(name, service)) ?? true;
}

/** The groups that `rules` name. */
export function groupsNamed(rules: readonly Rule[]): string[] {
  const names = rules.flatMap(({ users = [] }) => users.filter((name) => name.startsWith('@')));
  return [...new Set(names.map((name) => name.slice(1)))];
}

/** What identifies a rule wherever it stands: what it names. A code that was accepted under another rule does not count for it. */
export function identityOf(rule: Rule): string {
  return JSON.stringify(FACT_KEYS.map((key) => rule[key] ?? null));
}

/** A rule for a person: `the rule in line 12 of notp.toml (ticket OPS-12)`. */
export function nameOf({ line, reason, inStore }: Rule): string {
  return `the rule in line ${String(line)} of ${inStore === true ? 'the rules in the store' : 'notp.toml'}${reason === undefined ? '' : ` (${reason})`}`;
}
