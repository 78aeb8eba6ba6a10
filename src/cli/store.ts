/** The commands that look after the store of a fleet. */
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from './common.ts';

/** Adds `store migrate` and `store hosts`. */
export function addStore(program: Command, { now }: Surroundings, finish: Finish): void {
  const store = program.command('store').description('look after the database that store.url names').helpCommand(false);
  common(store.command('migrate'))
    .description('make the tables in the database of a fleet, or bring them up to date; as root, once for all hosts')
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/store-migrate.ts');
      finish(await command.migrateStore(configOf(flags)));
    });
  common(store.command('hosts'))
    .description('list the hosts that share the database, with the number of records of each')
    .option('--json', 'print a JSON object for each')
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      const command = await import('../commands/store-hosts.ts');
      finish(await command.listHosts(configOf(flags), { json: json === true }, now));
    });
}
