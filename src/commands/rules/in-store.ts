/** `notp rules put`, `get` and `remove`: the rules that the store has for all hosts of a fleet. Root only. */
import type { Command } from 'commander';
import { NotpError } from '../../error.ts';
import { plural } from '../../lists.ts';
import { storedRules } from '../../login/stored-rules.ts';
import { putRules, removeRules } from '../../enrolment/rules.ts';
import { onServiceState } from '../../enrolment/whose.ts';
import { rulesText, type Config } from '../../system/config.ts';
import { isRoot, realUser } from '../../system/users.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { groupsNamed } from '../../verdict/rules.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

const FOR_ROOT = { act: 'see and change the rules in the store', needs: 'rules in the store need' };

/** Throws `not_permitted` without root, `bad_configuration` for a mistake in the file, `failed` without a state of the host. */
async function put(config: Config, file: string, now: () => number): Promise<number> {
  // Read by root: the user of the service may not see the file.
  const text = isRoot() ? rulesText(file) : '';
  const rules = await onServiceState(config, FOR_ROOT, now, (state) => putRules(state, author(), text, file));
  sayLine(`Put into the store: ${plural(rules.length, 'rule')}`);
  if (config.rulesInStore)
    sayHint('notp rules explain USER says which of them decides about a login, and notp doctor who gets in without a code');
  else sayHint('they count on each host whose notp.toml says rules = "store"; the one of this host does not');
  const unlisted = groupsNamed(rules).filter((group) => config.rulesInStore && config.ruleGroups?.includes(group) !== true);
  if (unlisted.length > 0)
    sayHint(`of these groups it is unknown here who is in them: add them to rule_groups in notp.toml: ${unlisted.join(', ')}`);
  return 0;
}

/** Throws as put does, and `refused` where there are none. */
async function get(config: Config, now: () => number): Promise<number> {
  const { text, wrong } = await onServiceState(config, FOR_ROOT, now, ({ store }) => store.exclusively(storedRules));
  if (text === undefined) throw new NotpError('refused', wrong ?? 'there are no rules in the store', 'notp rules put FILE puts some there');
  printResult(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

/** Throws as get does. */
async function remove(config: Config, now: () => number): Promise<number> {
  await onServiceState(config, FOR_ROOT, now, (state) => removeRules(state, author()));
  sayLine('Removed the rules from the store: hosts that take them from there now ask everybody for a code');
  return 0;
}

function author(): { readonly user: string; readonly door: 'cli' } {
  return { user: realUser().name, door: 'cli' };
}

/** `rules` takes the flags that stand before or after the word. */
function flagsOf(flags: CommonFlags, command: Command): CommonFlags {
  return { ...command.optsWithGlobals<CommonFlags>(), ...flags };
}

/** Adds `put`, `get` and `remove` to `rules`. */
export function addRulesInStore(rules: Command, { now }: Surroundings, finish: Finish): void {
  common(rules.command('put'))
    .description('put rules into the store, for all hosts with rules = "store"; root only')
    .argument('<file>', 'TOML with [[rule]] tables and nothing else')
    .addHelpText('after', '\nExit codes: 0 the rules are in force, 3 the file has a mistake, and the earlier rules stay in force.')
    .action(async (file: string, flags: CommonFlags, command: Command) => {
      finish(await put(configOf(flagsOf(flags, command)), file, now));
    });
  common(rules.command('get'))
    .description('print the rules in the store as they were put; root only')
    .action(async (flags: CommonFlags, command: Command) => {
      finish(await get(configOf(flagsOf(flags, command)), now));
    });
  common(rules.command('remove'))
    .description('remove the rules from the store; root only')
    .action(async (flags: CommonFlags, command: Command) => {
      finish(await remove(configOf(flagsOf(flags, command)), now));
    });
}
