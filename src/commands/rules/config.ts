/** `notp config check`: says what is wrong with the configuration before a login meets it. */
import type { Command } from 'commander';
import { quoted } from '../../otp/escape.ts';
import { DEFAULT_CONFIG_FILE, isMember, type Config } from '../../system/config.ts';
import { withRulesInForce, type RulesInForce } from '../../login/stored-rules.ts';
import { groupByName, isRoot, userByName } from '../../system/users.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

/** A mistake was thrown before, as `bad_configuration`. */
async function check(file: string, config: Config, now: () => number): Promise<number> {
  // What a member says of rules decides nothing.
  const { rules, stored }: RulesInForce = isMember(config) ? config : await withRulesInForce(config, now);
  const where = stored === undefined ? file : 'rules in the store';
  for (const { line, users = [], ask } of rules)
    for (const name of users) {
      const why = strangerTo(name);
      const effect =
        name.startsWith('@') && ask === 'refuse' ? 'it refuses everybody who may be in it' : 'the rule does not fit anybody by that name';
      if (why !== undefined) sayHint(`${where}:${String(line)}: ${why}, so ${effect}`);
    }
  if (stored?.wrong !== undefined && isRoot()) sayHint(`the rules in the store count for nothing: ${stored.wrong}`);
  printResult(`${file}: no mistake found; rules: ${String(rules.length)}\n`);
  return 0;
}

/** Why no login on this host has the name. A directory service may have other spellings; a rule names the canonical one. */
function strangerTo(name: string): string | undefined {
  if (name.startsWith('@'))
    return groupByName(name.slice(1)) === name.slice(1) ? undefined : `there is no group ${quoted(name.slice(1))} here`;
  const user = userByName(name);
  if (user === undefined) return `there is no user ${quoted(name)} here`;
  return user.name === name ? undefined : `the user ${quoted(name)} is called ${quoted(user.name)} by the passwd database`;
}

/** Adds `config`. */
export function addConfig(program: Command, { now }: Surroundings, finish: Finish): void {
  const config = program.command('config').description('check the configuration').helpCommand(false);
  common(config.command('check'))
    .description('check the configuration, and name the file, the line and the fix of a mistake')
    .addHelpText('after', '\nExit codes: 0 no mistake, 3 the configuration cannot be used.')
    .action(async (flags: CommonFlags) => {
      finish(await check(flags.config ?? DEFAULT_CONFIG_FILE, configOf(flags), now));
    });
}
