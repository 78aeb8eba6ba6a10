/** `notp store`: the commands that manage the store of a fleet. */
import type { Command } from 'commander';
import type { Finish, Surroundings } from '../options.ts';
import { addCopy } from './copy.ts';
import { addHosts } from './hosts.ts';
import { addMigrate } from './migrate.ts';
import { addOutage } from './outage.ts';

/** Adds `store migrate`, `store copy`, `store hosts`, `store approve`, `store approved` and `store refresh`. */
export function addStore(program: Command, { now, environment }: Surroundings, finish: Finish): void {
  const store = program.command('store').description('manage the database that store.url names').helpCommand(false);
  addMigrate(store, finish);
  addCopy(store, now, finish);
  addHosts(store, now, finish);
  addOutage(store, { now, environment }, finish);
}
