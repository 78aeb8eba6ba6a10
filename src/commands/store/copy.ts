/** `notp store copy`: copies one store into another, such as the file of a host into the database of a fleet. */
import { NotpError } from '../../error.ts';
import { storeNamed, type Config } from '../../system/config.ts';
import { say, sayHint } from '../../terminal/printer.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { openProgress, type Progress } from '../../terminal/progress.ts';
import { hostKeysOf, rowSealOf } from '../../state/host-keys.ts';
import { copyStoreOf, storeName, type StatePlace } from '../../state/place.ts';
import { leftInHomesOf } from '../../enrolment/host-sealed.ts';
import { resealByHost } from '../../enrolment/store-seal.ts';
import { serviceState } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';

export interface CopyOptions {
  /** Values of store.url. */
  readonly from: string;
  readonly to: string;
  readonly dryRun: boolean;
}

/** The names of the rows of each table, singular and plural. */
const NOUNS: Readonly<Record<string, readonly [string, string]>> = {
  enrolment: ['enrolment', 'enrolments'],
  connection: ['open connection', 'open connections'],
  peer: ['trusted source', 'trusted sources'],
  counter: ['counter', 'counters'],
  sealed: ['sealed file', 'sealed files'],
  approved: ['user approved for outages', 'users approved for outages'],
  granted: ['grant', 'grants'],
  rules: ['set of rules', 'sets of rules'],
  member: ['member of the fleet', 'members of the fleet'],
  imported: ['mark of an imported secret', 'marks of imported secrets'],
  former_chain_key: ['earlier key of the audit chain', 'earlier keys of the audit chain'],
  refusals: ['count of refusals', 'counts of refusals'],
  acceptances: ['count of acceptances', 'counts of acceptances'],
};

/**
 * Throws `usage`, `not_permitted`, `refused` if the target has different content, or `store_unavailable`; then nothing was
 * changed.
 */
async function copyStore(config: Config, { from, to, dryRun }: CopyOptions, now: () => number): Promise<number> {
  requireRoot('copy the store of the service');
  const here = serviceState(config, 'notp store copy needs');
  const [source, target] = [placeAt(config, here, from), placeAt(config, here, to)];
  if (storeName(source) === storeName(target)) throw new NotpError('usage', 'both are the same store', 'name a different target');
  let progress: Progress | undefined;
  const onProgress = (rows: number, total: number): void => {
    progress ??= openProgress(total, now);
    progress.show(rows, 'rows');
  };
  const copying = asUser(here.owner, () =>
    copyStoreOf(source, target, { dryRun, onProgress, rows: rowSealOf(here.kind, hostKeysOf(here)) }),
  );
  const counts = await copying.finally(() => progress?.end());
  const parts = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${String(count)} ${nounOf(name, count)}`]));
  const what = parts.length === 0 ? 'nothing but the head of the audit chain' : parts.join(', ');
  say(dryRun ? `Would copy ${what}; nothing prevents it\n` : `Copied and compared: ${what}\n`);
  const left = await leftInHomesOf(config, source, now);
  if (left.length > 0) {
    say('Logins that a passphrase seals: they do not work with secrets = "store" until root re-seals them with the passphrase\n');
    for (const { user, context } of left) say(`  ${resealByHost(user, context)}\n`);
  }
  if (!dryRun) {
    sayHint(
      `now set store.url to ${to} and run systemctl stop 'notp@*.service'; ${storeName(source)} is unchanged: keep it until logins work`,
    );
    if (config.secretsInStore || config.hostKeys.length > 1)
      sayHint(
        'then notp reseal --all: it brings sealed files from homes into the store, and signs by the first key of host_key, which the other hosts have',
      );
  }
  return 0;
}

function nounOf(table: string, count: number): string {
  return NOUNS[table]?.[count === 1 ? 0 : 1] ?? table;
}

function placeAt(config: Config, here: StatePlace, url: string): StatePlace {
  const store = storeNamed(url, config);
  if (store.kind === 'user') throw new NotpError('usage', '"user" is not the store of a host', 'name a file or a database');
  return { ...here, store };
}

/** Adds `copy`. */
export function addCopy(store: Command, now: () => number, finish: Finish): void {
  common(
    store
      .command('copy')
      .argument('<from>', 'the store to copy: a value of store.url')
      .argument('<to>', 'the target: a value of store.url'),
  )
    .description('copy enrolments, used codes, counts and the head of the audit chain from one store into another')
    .option('--dry-run', 'show what would be copied and what prevents it, and change nothing')
    .addHelpText(
      'after',
      `
During the copy, logins on both stores wait, and are refused after 20 seconds.
No login may change the old store afterwards: when the copy is done, set
store.url to the new one at once, and stop the services with
systemctl stop 'notp@*.service'.

Example:
  notp store copy sqlite:/var/lib/notp/state.db postgres://notp@db.example.org/notp`,
    )
    .action(async (from: string, to: string, { dryRun, ...flags }: CommonFlags & { readonly dryRun?: boolean }) => {
      finish(await copyStore(configOf(flags), { from, to, dryRun: dryRun === true }, now));
    });
}
