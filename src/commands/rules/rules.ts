/** `notp rules`: lists the rules in force, and explains which of them decides about a login. Changes nothing. */
import { InvalidArgumentError, type Command } from 'commander';
import { NotpError } from '../../error.ts';
import { escapeControls, quoted, shellCommand } from '../../otp/escape.ts';
import { thisHost, type Config } from '../../system/config.ts';
import { serviceProblem } from '../../system/rule-settings.ts';
import { groupsKnown } from '../../login/ruling.ts';
import type { Memberships } from '../../system/memberships.ts';
import { userByName } from '../../system/users.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { isAddress } from '../../verdict/address.ts';
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
import { common, configOf, JSON_LINES, type CommonFlags, type Finish } from '../options.ts';

function listRules({ rules }: Config, json: boolean): number {
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

/** Whether a rule refuses also at services that tell neither address nor key. */
function refusesUnknown({ ask, services, from, keys }: Rule): boolean {
  return ask === 'refuse' && services === undefined && (from !== undefined || keys !== undefined);
}

function jsonOf({ line, ask, rememberMs, enrolByMs, reason, ...facts }: Rule): object {
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

function explain(config: Config, name: string, flags: ExplainFlags): number {
  const facts = factsOf(config, name, flags);
  const ruling = rulingOn(config.rules, facts);
  const met = config.rules.map((rule): Met => {
    const misfits = FACT_KEYS.map((key) => ({ key, fit: fitBy(key, rule, facts) })).filter(({ fit }) => fit !== 'yes');
    return { rule, fit: fitOf(rule, facts), misfits };
  });
  // What follows the first rule that surely fits, or the one that decided, was not looked at.
  const last = met.findIndex(({ rule, fit }) => fit === 'yes' || (rule === ruling.rule && rule.ask === 'refuse'));
  const seen = last === -1 ? met : met.slice(0, last + 1);
  if (flags.json === true) printResult(`${JSON.stringify(explained(facts, ruling, seen))}\n`);
  else {
    for (const each of seen) printResult(`${escapeControls(`line ${String(each.rule.line)}: ${whyOf(each, facts, ruling)}`)}\n`);
    printResult(`${escapeControls(`${facts.user ?? ''} at ${facts.service ?? ''}: ${verdictOf(ruling)}`)}\n`);
    if (seen.some(({ fit }) => fit === 'unknown')) sayHint('--from and --key say what is known at sshd; at sudo neither is');
  }
  return 0;
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
export function addRules(program: Command, _: unknown, finish: Finish): void {
  const rules = common(program.command('rules').helpCommand(false))
    .description('list the rules that say who is asked for a code')
    .option('--json', JSON_LINES)
    .action((flags: CommonFlags & { readonly json?: boolean }) => {
      finish(listRules(configOf(flags), flags.json === true));
    });
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
    .action((user: string, flags: ExplainFlags, command: Command) => {
      const whole = { ...command.optsWithGlobals<ExplainFlags>(), ...flags };
      finish(explain(configOf(whole), user, whole));
    });
}
