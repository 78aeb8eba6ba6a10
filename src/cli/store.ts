/** The commands that look after the store of a fleet. */
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from './common.ts';

/** Adds `store migrate`, `store copy`, `store hosts`, `store approve`, `store approved` and `store refresh`. */
export function addStore(program: Command, { now, environment }: Surroundings, finish: Finish): void {
  const store = program.command('store').description('look after the database that store.url names').helpCommand(false);
  common(store.command('migrate'))
    .description('make the tables in the database of a fleet, or bring them up to date; as root, once for all hosts')
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/store/migrate.ts');
      finish(await command.migrateStore(configOf(flags)));
    });
  common(store.command('copy').argument('<from>', 'where it is: a value of store.url').argument('<to>', 'where it shall be'))
    .description('copy enrolments, used codes, counts and the head of the audit chain from one store into another')
    .option('--dry-run', 'say what would be copied and what stands in the way, and change nothing')
    .addHelpText(
      'after',
      `
Logins on both stores wait until it is done, and are refused where that takes over 20 seconds. Stop them before it (no login may change
the old store afterwards): set store.url to the new one at once when it is done, and end the services: systemctl stop 'notp@*.service'.

Example: notp store copy sqlite:/var/lib/notp/state.db postgres://notp@db.example.org/notp`,
    )
    .action(async (from: string, to: string, { dryRun, ...flags }: CommonFlags & { readonly dryRun?: boolean }) => {
      const command = await import('../commands/store/copy.ts');
      finish(await command.copyStore(configOf(flags), { from, to, dryRun: dryRun === true }, now));
    });
  common(store.command('hosts'))
    .description('list the hosts that share the database, with the number of records of each')
    .option('--json', 'print a JSON object for each')
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      const command = await import('../commands/store/hosts.ts');
      finish(await command.listHosts(configOf(flags), { json: json === true }, now));
    });
  addOutage(store, { now, environment }, finish);
}

function addOutage(store: Command, { now, environment }: Pick<Surroundings, 'now' | 'environment'>, finish: Finish): void {
  common(store.command('approve'))
    .description('let a user log in, with two codes, on hosts with outage = "local" while they cannot reach the database; as root')
    .requiredOption('--user <name>', 'whom')
    .option('--remove', 'no more')
    .action(async ({ user, remove, ...flags }: CommonFlags & { readonly user: string; readonly remove?: boolean }) => {
      const command = await import('../commands/store/outage.ts');
      finish(await command.approveUser(configOf(flags), { user, remove: remove === true }, now));
    });
  common(store.command('approved'))
    .description('list the users who are approved for that')
    .option('--json', 'print a JSON object for each')
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      const command = await import('../commands/store/outage.ts');
      finish(await command.listApproved(configOf(flags), { json: json === true }, now));
    });
  common(store.command('refresh'))
    .description('report what this host has decided in an outage, and bring its copy for the next one up to date; a timer runs it')
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/store/outage.ts');
      finish(await command.refreshCopy(configOf(flags), environment, now));
    });
}
