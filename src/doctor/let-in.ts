/** Which users the rules of the configuration and the grants let in without a code, as the doors judge them. */
import { presentSocket } from '../login/open.ts';
import { wasEnrolled } from '../login/without-code.ts';
import type { Enrolment, KeptGrant } from '../store/store.ts';
import { thisHost, type Config } from '../system/config.ts';
import { groupsByName, SERVICE_USER, userByName, type User } from '../system/users.ts';
import { grantFor, isInForce } from '../verdict/grants.ts';
import { groupsNamed, mayLetIn, rulingOn, type Facts, type Rule, type Ruling } from '../verdict/rules.ts';
import { addressesOf } from './sshd/addresses.ts';
import { representatives } from './sshd/representatives.ts';

/** The users who get in from somewhere with some key. `isGate`: through the gate, where nobody is heard without a socket. */
export type LetIn = (users: readonly User[], isGate: boolean) => ReadonlySet<User>;

/** From one of the networks reserved for documentation, which no rule names. */
const ELSEWHERE = '203.0.113.7';
const SOME_KEY = 'ssh-ed25519';
/** Of the places and of the keys that rules tell apart, so many are tried. */
const MAX_SAMPLES = 64;
/** What the types of keys on security devices begin with. */
const DEVICE = 'sk-';
const DEVICE_KEYS = ['sk-ssh-ed25519', 'sk-ecdsa-sha2-nistp256'].flatMap((type) => [`${type}@openssh.com`, `${type}-cert-v01@openssh.com`]);

/** Accounts without an active enrolment whom a rule or one of `grants` lets in. `inactive`: the enrolments that let nobody in. `nowMs`: Unix time in milliseconds. */
export function letInBy(config: Config, inactive: readonly Enrolment[], nowMs: number, grants: readonly KeptGrant[] = []): LetIn {
  const known = new Set(inactive.flatMap(({ user, uid }) => [user, uid]));
  const revoked = revokedIn(inactive);
  const keyTypes = [...new Set([SOME_KEY, ...representatives(config.rules.flatMap(({ keys = [] }) => keys))])].slice(0, MAX_SAMPLES);
  const counting = grants.filter((grant) => grant.doubt === undefined && isInForce(grant, nowMs));
  const isGranted = ({ uid }: User, facts: Facts): boolean =>
    counting.some((grant) => grantFor([grant], { ...facts, uid, keyDigest: grant.key }, nowMs) !== undefined);
  return wherever(
    config,
    keyTypes,
    ({ ask, enrolByMs = 0 }, user, facts) =>
      (ask !== 'refuse' && isGranted(user, facts)) ||
      (ask === 'nothing' ? !has(revoked, user) : ask === 'code' && nowMs < enrolByMs && !has(known, user)),
    counting,
  );
}

/** Users whom a rule lets in only because their key is on a security device (`sk-*`): its touch is their second factor. */
export function letInByTouch(config: Config, inactive: readonly Enrolment[] = []): LetIn {
  if (!config.rules.some((rule) => rule.ask === 'nothing' && isOfDevices(rule))) return () => new Set();
  const revoked = revokedIn(inactive);
  return wherever(config, DEVICE_KEYS, ({ ask, rule }, user) => ask === 'nothing' && isOfDevices(rule) && !has(revoked, user));
}

function isOfDevices(rule: Rule | undefined): boolean {
  return rule?.keys?.every((pattern) => pattern.startsWith(DEVICE)) === true;
}

/** The users of whose logins, from one of the places that rules tell apart and with one of `keyTypes`, `isLetIn` holds. */
function wherever(
  config: Config,
  keyTypes: readonly string[],
  isLetIn: (ruling: Ruling, user: User, facts: Facts) => boolean,
  grants: readonly KeptGrant[] = [],
): LetIn {
  const { rules } = config;
  if (!rules.some(mayLetIn) && grants.length === 0) return () => new Set();
  const networks = [...grants.flatMap(({ from }) => (from === '' ? [] : [from])), ...rules.flatMap(({ from = [] }) => from)];
  // Where one network begins, another may begin too: what it has beside the other begins after that one.
  const addresses = [...new Set([ELSEWHERE, ...networks.flatMap((network) => addressesOf(network, []))])].slice(0, 2 * MAX_SAMPLES);
  const host = thisHost(config);
  const needsSocket = config.store.kind !== 'user' && userByName(SERVICE_USER) !== undefined;
  return (users, isGate) => {
    const heard = users.filter((user) => !isGate || !needsSocket || presentSocket(config, user) !== undefined);
    const named = groupsNamed(rules);
    const groups = named.length === 0 ? new Map<string, readonly string[]>() : groupsByName(heard.map(({ name }) => name));
    const isLetInSomewhere = (user: User): boolean => {
      const of = groups.get(user.name) ?? [];
      // Everybody is in a group: where none is known, the databases did not answer.
      const otherGroups = of.length === 0 ? [] : named.filter((name) => !of.includes(name));
      const account = { user: user.name, groups: of, otherGroups };
      return addresses.some((address) =>
        keyTypes.some((keyType) => {
          const facts: Facts = { ...account, service: 'sshd', address, keyType, host, firstFactor: true };
          return isLetIn(rulingOn(rules, facts), user, facts);
        }),
      );
    };
    return new Set(heard.filter(isLetInSomewhere));
  };
}

function revokedIn(inactive: readonly Enrolment[]): ReadonlySet<string | number> {
  return new Set(inactive.filter((each) => wasEnrolled(each) && each.status === 'revoked').flatMap(({ user, uid }) => [user, uid]));
}

function has(some: ReadonlySet<string | number>, { name, uid }: User): boolean {
  return some.has(name) || some.has(uid);
}
