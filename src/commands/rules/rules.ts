/** `notp rules`: lists the rules in force, and explains which of them decides about a login. Changes nothing. */
import { InvalidArgumentError, type Command } from 'commander';
import { messageOf, NotpError } from '../../error.ts';
import { escapeControls, quoted, shellCommand } from '../../otp/escape.ts';
import { thisHost, type Config } from '../../system/config.ts';
import { serviceProblem } from '../../system/rule-settings.ts';
import { groupsKnown } from '../../login/ruling.ts';
import { withRulesInForce, type StoredRules } from '../../login/stored-rules.ts';
import type { Memberships } from '../../system/accounts/memberships.ts';
import { shownGrants } from '../../enrolment/grants.ts';
import { statePlace } from '../../state/place.ts';
import { withState } from '../../state/state.ts';
import { asUser } from '../../system/privileges.ts';
import { isRoot, realUser, userByName } from '../../system/users.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { isAddress } from '../../verdict/address.ts';
import { fitOfBounds, isInForce, nameOfGrant, whoseGrant, type Grant } from '../../verdict/grants.ts';
import { FACT_WORDS, whatOf, whoOf } from '../../verdict/rule-words.ts';
import {
  FACT_KEYS,
  fitBy,
  fitOf,
  groupsNamed,
  rulingOn,
  type FactKey,
  type Facts,
  type Fit,
  type Rule,
  type Ruling,
} from '../../verdict/rules.ts';
import { minuteOf } from '../enrolments/times.ts';
import { addRulesInStore } from './in-store.ts';
import { common, configOf, JSON_LINES, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

async function listRules(config: Config, json: boolean, now: () => number): Promise<number> {
  const { rules, stored } = await withRulesInForce(config, now);
  if (stored !== undefined && !json) sayStored(stored);
  for (const rule of rules)
    printResult(
      json ? `${JSON.stringify(jsonOf(rule))}\n` : `${escapeControls(`line ${String(rule.line)}: ${whoOf(rule)}: ${whatOf(rule)}`)}\n`,
    );
  if (json) return 0;
  printResult(rules.length === 0 ? 'everybody: a code\n' : 'otherwise: a code\n');
  if (rules.some(refusesUnknown))
    sayHint('"refused" also holds where the address or key is unknown, as at sudo: services = ["sshd"] limits a rule');
  return 0;
}

/** Says that the rules are those of the store, since when, or why none of them counts. */
function sayStored({ asOfMs, wrong }: StoredRules): void {
  if (wrong !== undefined) sayHint(`the rules in the store count for nothing: ${wrong}`);
  else sayHint(`these are the rules in the store, put there ${minuteOf(new Date(asOfMs ?? 0).toISOString())} UTC`);
}

/** Whether a rule refuses also at services that tell neither address nor key. */
function refusesUnknown({ ask, services, from, keys }: Rule): boolean {
  return ask === 'refuse' && services === undefined && (from !== undefined || keys !== undefined);
}

function jsonOf({ line, ask, rememberMs, enrolByMs, reason, ...rule }: Rule): object {
  const facts = Object.fromEntries(FACT_KEYS.flatMap((key) => (rule[key] === undefined ? [] : [[key, rule[key]]])));
  return {
    ...{ line, ask, ...facts },
    ...(rememberMs === undefined ? {} : { remember_seconds: rememberMs / 1000 }),
    ...(enrolByMs === undefined ? {} : { enrol_by: new Date(enrolByMs).toISOString() }),
    ...(reason === undefined ? {} : { reason }),
  };
}

interface ExplainFlags extends CommonFlags {
  readonly from?: string;
  readonly key?: string;
  readonly service: string;
  readonly json?: boolean;
}

/** The facts of a login of `name` after a first factor. What is not given is unknown. Throws `usage`. */
function factsOf(config: Config, name: string, { from, key, service }: ExplainFlags): Facts & Memberships {
  const user = userByName(name);
  if (user === undefined) throw new NotpError('usage', `there is no user ${quoted(name)}`, 'list the users: getent passwd');
  const groups = groupsKnown(config, user);
  return {
    ...{ user: user.name, ...groups, service, host: thisHost(config), firstFactor: true },
    ...{ address: from, keyType: key === 'none' ? '' : key },
  };
}

/** One rule as the login met it. */
interface Met {
  readonly rule: Rule;
  readonly fit: Fit;
  /** The keys by which it does not fit, or perhaps does not. */
  readonly misfits: readonly { readonly key: FactKey; readonly fit: Fit }[];
}

async function explain(given: Config, name: string, flags: ExplainFlags, now: () => number): Promise<number> {
  const { stored, ...config } = await withRulesInForce(given, now);
  if (stored?.wrong !== undefined) sayStored(stored);
  const facts = factsOf(config, name, flags);
  const grants = await grantsFor(config, facts, flags, now);
  const ruling = rulingOn(config.rules, facts);
  const met = config.rules.map((rule): Met => {
    const misfits = FACT_KEYS.map((key) => ({ key, fit: fitBy(key, rule, facts) })).filter(({ fit }) => fit !== 'yes');
    return { rule, fit: fitOf(rule, facts), misfits };
  });
  // What follows the first rule that surely fits, or the one that decided, was not looked at.
  const last = met.findIndex(({ rule, fit }) => fit === 'yes' || (rule === ruling.rule && rule.ask === 'refuse'));
  const seen = last === -1 ? met : met.slice(0, last + 1);
  if (flags.json === true) printResult(`${JSON.stringify({ ...explained(facts, ruling, seen), ...explainedGrants(ruling, grants) })}\n`);
  else {
    for (const each of seen) printResult(`${escapeControls(`line ${String(each.rule.line)}: ${whyOf(each, facts, ruling)}`)}\n`);
    for (const each of grants) printResult(`${escapeControls(whyGrant(each))}\n`);
    const verdict = ruling.ask === 'code' ? verdictBy(grants) : undefined;
    printResult(`${escapeControls(`${facts.user ?? ''} at ${facts.service ?? ''}: ${verdict ?? verdictOf(ruling)}`)}\n`);
    if (seen.some(({ fit }) => fit === 'unknown') || grants.some(({ fit }) => fit === 'unknown'))
      sayHint('--from and --key say what is known at sshd; at sudo neither is');
  }
  return 0;
}

/** A grant of the user, as the login met it. */
interface MetGrant {
  readonly grant: Grant;
  readonly fit: Fit;
}

/** The grants of the user that are in force. Only root can read them; nobody else is told of any. */
async function grantsFor(config: Config, facts: Facts, { key }: ExplainFlags, now: () => number): Promise<readonly MetGrant[]> {
  const place = statePlace(config, realUser());
  if (!isRoot() || place.kind !== 'service') return [];
  const found = await asUser(place.owner, () =>
    withState(place, now, async (state) => (state === undefined ? undefined : await shownGrants(state, facts.user))),
  ).catch((error: unknown) => {
    sayHint(`grants are not known, and none counts while that is so: ${messageOf(error)}`);
    return undefined;
  });
  // A login without a key has the digest of none.
  const met = { ...facts, keyDigest: key === 'none' ? '' : undefined };
  const { grants = [], nowMs = 0 } = found ?? {};
  return grants
    .filter((each) => each.doubt !== 'forged' && each.stray === undefined && isInForce(each, nowMs))
    .map((grant) => ({ grant, fit: fitOfBounds(grant, met) }));
}

function whyGrant({ grant, fit }: MetGrant): string {
  const how = { yes: 'fits', no: 'does not fit', unknown: 'perhaps fits, so it does not count' }[fit];
  return `${nameOfGrant(grant)}: ${how}: ${whoseGrant(grant)}, until ${new Date(grant.untilMs).toISOString()}`;
}

function verdictBy(grants: readonly MetGrant[]): string | undefined {
  const found = grants.find(({ fit }) => fit === 'yes');
  return found === undefined ? undefined : `no code, by ${nameOfGrant(found.grant)}`;
}

function explainedGrants({ ask }: Ruling, grants: readonly MetGrant[]): object {
  const found = ask === 'code' ? grants.find(({ fit }) => fit === 'yes') : undefined;
  return {
    grant: found?.grant.id ?? null,
    grants: grants.map(({ grant: { id, untilMs, reason }, fit }) => ({ id, until: new Date(untilMs).toISOString(), reason, fits: fit })),
  };
}

function verdictOf({ rule, ask, rememberMs, enrolByMs }: Ruling): string {
  if (rule === undefined) return 'a code, since no rule fits';
  // Without what the rule adds where it perhaps does not fit.
  return whatOf({ ask, rememberMs, enrolByMs, reason: rule.reason });
}

function whyOf({ rule, fit, misfits }: Met, facts: Facts & Memberships, ruling: Ruling): string {
  const decides = rule === ruling.rule ? 'decides: ' : '';
  if (fit === 'yes') return `${decides}fits ${whoOf(rule)}`;
  const whys = misfits.map(({ key, fit: how }) =>
    how === 'unknown' ? unknownOf(key, rule, facts.unsure) : `${factOf(key, facts)} is not in ${(rule[key] ?? []).join(', ')}`,
  );
  if (fit === 'no') return `does not fit: ${whys.join('; ')}`;
  const how = { refuse: 'refuses all the same', nothing: 'does not count', code: 'asks for a code, and adds nothing to it' }[rule.ask];
  return `${decides}perhaps fits, so it ${how}: ${whys.join('; ')}`;
}

function unknownOf(key: FactKey, rule: Rule, unsure: Memberships['unsure']): string {
  const groups = groupsNamed([rule]).filter((group) => unsure.has(group));
  if (key !== 'users' || groups.length === 0) return `the ${FACT_WORDS[key]} is unknown`;
  return groups.map((group) => `it is unknown who is in @${group}: ${unsure.get(group) ?? ''}`).join('; ');
}

function factOf(key: FactKey, { user, groups, service, address, keyType, host }: Facts): string {
  const facts: Readonly<Record<FactKey, string | undefined>> = {
    users: [user ?? '', ...groups.map((group) => `@${group}`)].join(', '),
    ...{ services: service, from: address, keys: keyType === '' ? 'no key' : keyType, hosts: host },
  };
  return facts[key] ?? '';
}

function explained(facts: Facts & Memberships, { ask, rule, rememberMs, enrolByMs }: Ruling, seen: readonly Met[]): object {
  const { user, groups, unsure, service, address = null, keyType = null, host } = facts;
  return {
    ...{ user, groups, unknown_groups: [...unsure.keys()], service, from: address, key: keyType, host },
    ...{ ask, line: rule?.line ?? null, reason: rule?.reason ?? null },
    ...{ remember_seconds: rememberMs === undefined ? null : rememberMs / 1000 },
    ...{ enrol_by: enrolByMs === undefined ? null : new Date(enrolByMs).toISOString() },
    rules: seen.map(({ rule: each, fit, misfits }) => ({
      ...{ line: each.line, ask: each.ask, fits: fit },
      because: Object.fromEntries(misfits.map(({ key, fit: how }) => [key, how])),
    })),
  };
}

function serviceGiven(given: string): string {
  const wrong = serviceProblem(given);
  if (wrong === undefined) return given;
  throw new InvalidArgumentError(`${quoted(given)} ${wrong}.`);
}

function addressGiven(given: string): string {
  if (isAddress(given)) return given;
  throw new InvalidArgumentError('It must be an IPv4 or IPv6 address.');
}

/** Adds `rules`. */
export function addRules(program: Command, surroundings: Surroundings, finish: Finish): void {
  const { now } = surroundings;
  const rules = common(program.command('rules').helpCommand(false))
    .description('list the rules that say who is asked for a code')
    .option('--json', JSON_LINES)
    .action(async (flags: CommonFlags & { readonly json?: boolean }) => {
      finish(await listRules(configOf(flags), flags.json === true, now));
    });
  addRulesInStore(rules, surroundings, finish);
  common(rules.command('explain'))
    .description('say which rule decides about a login, and why each earlier one does not')
    .argument('<user>', 'who logs in')
    .option('--from <address>', 'source address (default: unknown)', addressGiven)
    .option('--key <type>', 'type of the key that passed first, "none" for a login without a key (default: unknown)')
    .option('--service <name>', 'PAM service; sshd also for the gate', serviceGiven, 'sshd')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nExample:\n  ${shellCommand`notp rules explain alice --from 10.1.2.3 --key sk-ssh-ed25519@openssh.com --service sudo`}`,
    )
    .action(async (user: string, flags: ExplainFlags, command: Command) => {
      const whole = { ...command.optsWithGlobals<ExplainFlags>(), ...flags };
      finish(await explain(configOf(whole), user, whole, now));
    });
}
