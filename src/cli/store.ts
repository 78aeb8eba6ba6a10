/** The commands that look after the store of a fleet. */
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from './common.ts';

/** Adds `store migrate`. */
export function addStore(program: Command, finish: Finish): void {
  const store = program.command('store').description('look after the database that store.url names').helpCommand(false);
  common(store.command('migrate'))
    .description('make the tables in the database of a fleet, or bring them up to date; as root, once for all hosts')
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/store-migrate.ts');
      finish(await command.migrateStore(configOf(flags)));
    });
}
