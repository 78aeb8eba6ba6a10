/** `notp store hosts`: lists the hosts that share the store, with the length of each log. */
import { escapeControls } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { withPresentState } from '../../state/state.ts';
import { sharedState } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';

/** Throws `refused` if the store is not shared. */
async function listHosts(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const place = sharedState(config, 'notp store hosts needs', 'the store of this host is not shared with other hosts');
  const heads = await asUser(place.owner, () =>
    withPresentState(place, now, ({ store }) => store.exclusively((transaction) => transaction.heads())),
  );
  const width = Math.max(0, ...heads.map(({ host }) => escapeControls(host).length));
  for (const [i, { host, head }] of heads.entries()) {
    const isEarlier = heads[i + 1]?.host === host;
    const records = head === undefined ? 'its head was changed outside notp' : `${String(head.seq)} records`;
    const object = { host, records: head?.seq ?? null, ...(isEarlier ? { earlier: true } : {}) };
    printResult(
      json ? `${JSON.stringify(object)}\n` : `${escapeControls(host).padEnd(width)}  ${records}${isEarlier ? ', in an earlier log' : ''}\n`,
    );
  }
  return 0;
}

/** Adds `hosts`. */
export function addHosts(store: Command, now: () => number, finish: Finish): void {
  common(store.command('hosts'))
    .description('list the hosts that share the database, with the number of audit records of each')
    .option('--json', 'print one JSON object for each')
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      finish(await listHosts(configOf(flags), { json: json === true }, now));
    });
}
