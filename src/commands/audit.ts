/** `notp audit`: the last records of the log, as they are. */
import { tailOf } from '../audit/reading.ts';
import { MAX_RECORD_BYTES } from '../audit/record.ts';
import type { Config } from '../system/config.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { realUser } from '../system/users.ts';
import { statePlace } from '../verifier/state.ts';

/** Prints the last `lines` records, oldest first, one JSON object a line. */
export async function audit(config: Config, { lines }: { lines: number }): Promise<number> {
  const place = statePlace(config, realUser());
  const records = await asUser(place.owner, () => tailOf(place.auditFile, lines * MAX_RECORD_BYTES).slice(-lines));
  if (records.length > 0) printResult(records.join('\n') + '\n');
  return 0;
}
