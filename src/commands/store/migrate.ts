/** `notp store migrate`: the tables in the database of a fleet, made or brought up to date. */
import { NotpError } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import { sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { isRoot, realUser } from '../../system/users.ts';
import { statePlace } from '../../state/place.ts';
import { migrateStoreOf, storeName } from '../../state/store-place.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';

/** Throws `not_permitted` if we are not root, `store_unavailable` if the server does not do it. */
async function migrateStore(config: Config): Promise<number> {
  if (config.store.kind !== 'postgres') {
    sayHint('store.url names no database of a fleet; the file of a host is brought up to date when it is opened');
    return 0;
  }
  if (!isRoot()) throw new NotpError('not_permitted', 'only root can change the store of the service', 'run this with sudo');
  const place = statePlace(config, realUser());
  if (place.kind !== 'service') throw new NotpError('failed', 'there is no system user notp', 'install the package, or see README.md');
  const versions = await asUser(place.owner, () => migrateStoreOf(place));
  const now = versions === undefined || versions.from === versions.to ? 'were up to date' : `are of version ${String(versions.to)} now`;
  sayLine(`The tables in ${storeName(place)} ${now}.`);
  return 0;
}

/** Adds `migrate`. */
export function addMigrate(store: Command, finish: Finish): void {
  common(store.command('migrate'))
    .description('make the tables in the database of a fleet, or bring them up to date; as root, once for all hosts')
    .action(async (flags: CommonFlags) => {
      finish(await migrateStore(configOf(flags)));
    });
}
