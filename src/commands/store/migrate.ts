/** `notp store migrate`: makes or updates the tables in the database of a fleet. */
import { NotpError } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import { sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { statePlace, migrateStoreOf, storeName } from '../../state/place.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';

/** Throws `not_permitted` without root, `store_unavailable` if the server fails. */
async function migrateStore(config: Config): Promise<number> {
  if (config.store.kind !== 'postgres') {
    sayHint('store.url does not name the database of a fleet; the file of a host is updated when it is opened');
    return 0;
  }
  requireRoot('change the store of the service');
  const place = statePlace(config, realUser());
  if (place.kind !== 'service')
    throw new NotpError('failed', 'there is no system user notp', 'install the package, or see docs/install.md');
  const versions = await asUser(place.owner, () => migrateStoreOf(place));
  const now = versions === undefined || versions.from === versions.to ? 'were up to date' : `now have version ${String(versions.to)}`;
  sayLine(`The tables in ${storeName(place)} ${now}.`);
  return 0;
}

/** Adds `migrate`. */
export function addMigrate(store: Command, finish: Finish): void {
  common(store.command('migrate'))
    .description('make or update the tables in the database of a fleet; as root, once for all hosts')
    .action(async (flags: CommonFlags) => {
      finish(await migrateStore(configOf(flags)));
    });
}
