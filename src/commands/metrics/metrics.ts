/** `notp metrics`: prints what a monitoring system wants to know, or writes it for node_exporter's textfile collector. Root only. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { servicePlace } from '../../enrolment/whose.ts';
import { messageOf, NotpError } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import { requireRoot } from '../../system/privileges.ts';
import { takeLock } from '../../system/sole-run.ts';
import { draft, realPath } from '../../system/trusted.ts';
import { printResult, sayError } from '../../terminal/printer.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';
import { printMetrics } from './exposition.ts';
import { measure } from './families.ts';

const ROOT_UID = 0;
/** The monitoring system reads it as a user of its own. */
const FOR_ALL = { mode: 0o644, uid: ROOT_UID, gid: 0 };
const LOCK = 'notp-metrics';
const TURN_TRIES = 100;
const TURN_POLL_MS = 100;

/** Gives 3 if a part could not be read, else 0. Throws `not_permitted`, `usage`, or `failed` without a state of the host. */
async function metrics(config: Config, textfile: string | undefined, now: () => number): Promise<number> {
  requireRoot('read what the metrics are made of');
  const place = servicePlace(config, 'metrics need');
  const target = textfile === undefined ? undefined : targetOf(textfile);
  await takeTurn();
  const { families, failed } = await measure({ config, place, now });
  if (target === undefined) printResult(printMetrics(families, 'openmetrics'));
  else draft(target, Buffer.from(printMetrics(families, 'textfile')), FOR_ALL).put();
  for (const [part, error] of failed) sayError(`${part}: ${messageOf(error)}`);
  return failed.size === 0 ? 0 : 3;
}

/** Root writes there, so nobody else may be able to change where that is. */
function targetOf(file: string): string {
  if (!file.endsWith('.prom'))
    throw new NotpError('usage', `${file}: its name must end in .prom`, "node_exporter's textfile collector reads no other files");
  return realPath(file, ROOT_UID);
}

/** Two runs at once would count on from the same counts, and the one that ends last may have counted less. */
async function takeTurn(): Promise<void> {
  for (let left = TURN_TRIES; left > 0; left--) {
    if (await takeLock(LOCK)) return;
    await delay(TURN_POLL_MS);
  }
  throw new NotpError('failed', 'another notp metrics is still running', 'ss --unix --processes shows who holds @notp-metrics');
}

interface MetricsFlags extends CommonFlags {
  readonly textfile?: string;
}

/** Adds `metrics`. */
export function addMetrics(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('metrics'))
    .description('print metrics for monitoring, as OpenMetrics')
    .option('--textfile <file>', "write them to this file for node_exporter's textfile collector instead")
    .addHelpText('after', '\nExit codes: 0 all parts could be read, 3 a part could not be read, as notp_up says.')
    .action(async ({ textfile, ...flags }: MetricsFlags) => {
      finish(await metrics(configOf(flags), textfile, now));
    });
}
