/**
 * `notp store approve`, `approved` and `refresh`: manage the users who may log in while the fleet's server is unreachable,
 * and the copy for that.
 */
import { append, newRef } from '../../audit/audit.ts';
import { isLost, moveToLast } from '../../audit/resume.ts';
import { messageOf, NotpError } from '../../error.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayError, sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { withCredentials } from '../../state/credentials.ts';
import { openCopy, outagePlace } from '../../outage/outage.ts';
import { copyApproved, reportOutage, setApproval, type Reported } from '../../outage/report.ts';
import { chainKeys, withPresentState, type State } from '../../state/state.ts';
import { storeName, type StatePlace } from '../../state/place.ts';
import { ChangedHead } from '../../store/store.ts';
import { enrolledUser, originOf, sharedState } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';

/** Throws `not_permitted` without root, `refused` if the store is not shared, `usage` if there is no such user. */
async function approveUser(
  config: Config,
  { user: name, remove }: { readonly user: string; readonly remove: boolean },
  now: () => number,
): Promise<number> {
  requireRoot('approve users for an outage of the store');
  const place = placeOf(config);
  const user = await enrolledUser(config, name, now, { onlyRoot: 'approve', hint: () => 'run this with sudo' });
  await within(place, now, async (state) => {
    const isNew = await setApproval(state, originOf(user), !remove, now());
    const done = remove ? 'may not log in' : 'may log in';
    sayLine(`${user.name} ${done} while the store cannot be reached${isNew ? '' : ', as before'}`);
    try {
      const { left } = await refresh(config, place, state, now);
      for (const error of left.values()) sayOutOfDate(error);
    } catch (error) {
      sayOutOfDate(error);
    }
  });
  sayHint(
    config.fleet.outage === 'local'
      ? 'other hosts with store.outage = "local" learn of it with their next notp store refresh'
      : 'this has an effect only on hosts with store.outage = "local", and this host has "deny"',
  );
  return 0;
}

function sayOutOfDate(error: unknown): void {
  sayHint(`the copy of this host is not up to date: ${messageOf(error)}; notp store refresh`);
}

/** Throws `refused` if the store is not shared. */
async function listApproved(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const all = await within(placeOf(config), now, ({ store }) => store.exclusively((transaction) => transaction.approved()));
  const width = Math.max(0, ...all.map(({ user }) => user.length));
  for (const { user, asOfMs } of all) {
    const since = new Date(asOfMs).toISOString();
    printResult(json ? `${JSON.stringify({ user, since })}\n` : `${escapeControls(user).padEnd(width)}  since ${since}\n`);
  }
  return 0;
}

/**
 * Reports the decisions of an outage, and updates the copy of this host if it keeps one. The exit code is 1 if a report waits. Throws
 * `store_unavailable`.
 */
async function refreshCopy(config: Config, environment: NodeJS.ProcessEnv, now: () => number): Promise<number> {
  if (config.fleet.outage === 'deny') {
    sayHint('store.outage = "deny": this host keeps no copy');
    return 0;
  }
  const place = withCredentials(placeOf(config), config, environment);
  const { reported, left, users } = await within(place, now, (state) => refresh(config, place, state, now));
  if (reported > 0) sayLine(`Reported: ${String(reported)} records of an outage`);
  if (users.length > 0) sayLine(`The copy is up to date: ${users.join(', ')}`);
  else if (left.size === 0) sayLine('The copy is empty, since no user is approved');
  for (const [user, { message, hint }] of left)
    sayError(`the report about ${user} waits, so the copy lets them in no more: ${message}`, hint ?? 'mend that, then notp store refresh');
  return left.size === 0 ? 0 : 1;
}

/**
 * Updates the copy of this host, if it keeps one, since it holds files of an earlier key too. Throws as refreshCopy does, and where a
 * report waits.
 */
export async function refreshAfterChange(config: Config, now: () => number): Promise<void> {
  if (config.fleet.outage === 'deny') return;
  const place = placeOf(config);
  const { left } = await within(place, now, (state) => refresh(config, place, state, now));
  for (const error of left.values()) throw error;
}

interface Refreshed extends Reported {
  /** The users who may log in by the copy. */
  readonly users: readonly string[];
}

async function refresh({ policy }: Config, place: StatePlace, state: State, now: () => number): Promise<Refreshed> {
  // Without the key, records in the log of the copy could not be chained for this host.
  if (state.hostKey === undefined)
    throw new NotpError(
      'failed',
      'the key of this host cannot be read here',
      'if it is encrypted, only systemd can decrypt it: systemctl start notp-store-refresh',
    );
  const copy = openCopy(place, now, { create: true });
  if (copy === undefined) return { reported: 0, left: new Map(), users: [] };
  try {
    await resumeChain(place, state, copy);
    const reported = await reportOutage(state, copy, policy);
    return { ...reported, users: await copyApproved(state, copy, policy, now()) };
  } finally {
    copy.store.close();
  }
}

/** Makes a new copy continue the chain of the log of an earlier copy, and records that. */
async function resumeChain(place: StatePlace, state: State, { store, log }: State): Promise<void> {
  // This record is not a decision, so it is not reported to the store.
  const own = { ...log };
  delete own.keep;
  const former = await state.store.exclusively((transaction) => transaction.formerChainKeys());
  await store.exclusively(async (transaction) => {
    const keys = chainKeys(state, former);
    const head = await transaction.head().catch((error: unknown) => {
      throw error instanceof ChangedHead ? changedInCopy(place) : error;
    });
    if (!isLost(log.file.name, head)) return;
    const last = await moveToLast(log.file.name, transaction, keys);
    const detail = `after record ${String(last)}: the copy for outages is new`;
    const { name: user, uid } = place.owner;
    await append(own, transaction, { user, uid, context: '', door: 'cli', event: 'audit.resumed', result: 'done', detail, ref: newRef() });
  });
}

/** The error where the copy has a chain of its own that cannot go on. That of the host may be whole. */
function changedInCopy(place: StatePlace): NotpError {
  const copy = outagePlace(place) ?? place;
  return new NotpError(
    'store_unavailable',
    `the head of the log of outages (${copy.auditFile}), which is in this host's copy (${storeName(copy)}), was changed outside notp, or is of a host key that is not here`,
    'if the host key was changed, put the earlier one at the end of host_key, or run as root: notp audit verify --outage --resume, then notp store refresh; otherwise find out first who can write to that copy',
  );
}

async function within<T>(place: StatePlace, now: () => number, work: (state: State) => Promise<T>): Promise<T> {
  return await asUser(place.owner, () => withPresentState(place, now, work));
}

/** The state of this host. Throws `refused` if the store is not shared. */
function placeOf(config: Config): StatePlace {
  return sharedState(config, 'approvals for outages need', 'the store of this host is a local file, which has no outages');
}

/** Adds `approve`, `approved` and `refresh`. */
export function addOutage(store: Command, { now, environment }: Pick<Surroundings, 'now' | 'environment'>, finish: Finish): void {
  common(store.command('approve'))
    .description('let a user log in, with two codes, on hosts with outage = "local" that cannot reach the database; root only')
    .requiredOption('--user <name>', 'the user to approve')
    .option('--remove', 'withdraw the approval')
    .action(async ({ user, remove, ...flags }: CommonFlags & { readonly user: string; readonly remove?: boolean }) => {
      finish(await approveUser(configOf(flags), { user, remove: remove === true }, now));
    });
  common(store.command('approved'))
    .description('list the users who are approved for outages')
    .option('--json', 'print one JSON object for each')
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      finish(await listApproved(configOf(flags), { json: json === true }, now));
    });
  common(store.command('refresh'))
    .description('report the decisions of this host in an outage, and update its copy for the next one; a timer runs it')
    .action(async (flags: CommonFlags) => {
      finish(await refreshCopy(configOf(flags), environment, now));
    });
}
