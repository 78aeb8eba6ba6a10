/** `notp store hosts`: who shares the store, and how long the log of each is. */
import { NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { withPresentState } from '../verifier/state.ts';
import { serviceState } from './whose.ts';

/** Throws `refused` where the store is that of one host. */
export async function listHosts(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const place = serviceState(config, 'hosts share');
  if (place.store.kind !== 'postgres')
    throw new NotpError(
      'refused',
      'the store of this host is shared with no other',
      'store.url names a database of a fleet: see notp.toml(5)',
    );
  const heads = await asUser(place.owner, () =>
    withPresentState(place, now, ({ store }) => store.exclusively((transaction) => transaction.heads())),
  );
  const width = Math.max(0, ...heads.map(({ host }) => host.length));
  for (const { host, seq } of heads)
    printResult(json ? `${JSON.stringify({ host, records: seq })}\n` : `${host.padEnd(width)}  ${String(seq)} records\n`);
  return 0;
}
