/** `notp grants`: lists the grants that are in force, and ends one of them. Root only. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { escapeControls } from '../../otp/escape.ts';
import { endGrant, nameOfKept, shownGrants, type ShownGrant } from '../../enrolment/grants.ts';
import { onServiceState } from '../../enrolment/whose.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { fingerprintOf, whoseGrant } from '../../verdict/grants.ts';
import { distanceOf, minuteOf } from '../enrolments/times.ts';
import { common, configOf, JSON_LINES, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

const FOR_ROOT = { act: 'see and end grants', needs: 'grants need' };

/** Throws `not_permitted` without root, `failed` without a state of the host. */
async function listGrants(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const { grants, nowMs } = await onServiceState(config, FOR_ROOT, now, (state) => shownGrants(state));
  for (const each of grants) printResult(json ? `${JSON.stringify(jsonOfGrant(each))}\n` : `${escapeControls(lineOf(each, nowMs))}\n`);
  if (grants.length === 0 && !json) sayHint('no grant is in force; notp grant makes one');
  return 0;
}

/** Throws as listGrants does, and `refused` where there is no such grant. */
async function end(config: Config, id: string, now: () => number): Promise<number> {
  const ended = await onServiceState(config, FOR_ROOT, now, (state) => endGrant(state, id));
  sayLine(escapeControls(`Ended: ${nameOfKept(ended)} of ${ended.user}`));
  sayHint('sessions that are open stay open; loginctl terminate-user ends them');
  return 0;
}

function lineOf(grant: ShownGrant, nowMs: number): string {
  const { id, reason, untilMs, doubt, stray } = grant;
  if (doubt !== undefined)
    return `${id}  ${grant.user}: counts for nothing, as it was changed outside notp, or under a host key that is not here`;
  const until = new Date(untilMs).toISOString();
  const but = stray === undefined ? '' : ` (counts for nothing: ${stray})`;
  return `${id}  ${whoseGrant(grant)}, until ${minuteOf(until)} UTC (${distanceOf(until, nowMs)}): ${reason}${but}`;
}

/** The grant for another program. Of one that was changed outside notp only what names it. */
export function jsonOfGrant({ id, user, madeMs, untilMs, from, key, service, reason, doubt, stray }: ShownGrant): object {
  if (doubt !== undefined) return { id, user, counts: false };
  const bounds = { from: from || null, key: key === '' ? null : fingerprintOf(key), service: service || null };
  return {
    id,
    user,
    made: new Date(madeMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    ...bounds,
    reason,
    counts: stray === undefined,
  };
}

function idGiven(given: string): string {
  if (/^[0-9a-f]{8}$/.test(given)) return given;
  throw new InvalidArgumentError('It must be the 8 hex digits that notp grants shows.');
}

interface GrantsFlags extends CommonFlags {
  readonly json?: boolean;
  readonly end?: string;
}

/** Adds `grants`. */
export function addGrants(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('grants'))
    .description('list the grants in force, which let users in without a code; root only')
    .option('--end <id>', 'end this grant now', idGiven)
    .option('--json', JSON_LINES)
    .action(async ({ end: id, json, ...flags }: GrantsFlags) => {
      const config = configOf(flags);
      finish(id === undefined ? await listGrants(config, { json: json === true }, now) : await end(config, id, now));
    });
}
