/** `notp audit verify`: checks that the log, with the files that logrotate(8) has rotated, is unchanged. */
import { openProgressLine } from '../../terminal/progress.ts';
import { append, newRef } from '../../audit/audit.ts';
import { isLost, lostHead, moveToLast } from '../../audit/resume.ts';
import { verifyLog, type Progress, type Report, type VerifyOptions as Chain } from '../../audit/verify.ts';
import { NotpError } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { auditKey } from '../../seal/keys.ts';
import { ChangedHead, type ChainHead, type HostHead, type Transaction } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayError, sayHint } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { outagePlace } from '../../outage/outage.ts';
import { keysOf, hasEncryptedKey, readHostKey } from '../../state/host-keys.ts';
import { chainKeys, noState, type State, withPresentState, withState } from '../../state/state.ts';
import { statePlace, type StatePlace } from '../../state/place.ts';
import { Option, type Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';
import { collected } from './period.ts';

/** Any further hosts are not named. */
const NAMED = 10;
const PROBLEM_HINT = 'all other records are unchanged; compare the log with the journal or another copy';
const COPY_HINT = 'an old copy also lacks the newest records: copy the log again, or give --key if that host has its own key';

export interface VerifyOptions {
  readonly json: boolean;
  /** The host of the fleet that wrote the log; undefined: this host. */
  readonly host: string | undefined;
  /** The log or a copy of it; undefined: the log of this host. */
  readonly file: string | undefined;
  /** Whether to check the log of decisions in outages of a fleet's store. */
  readonly outage: boolean;
  /** Whether to resume the chain after the last record of the log, if the head in the store is not valid. */
  readonly resume: boolean;
  /** A copy of that host's key file, if its key differs from this host's. */
  readonly key: string | undefined;
}

/** The exit code is 0 if the chain is whole, else 1. */
async function verifyAudit(config: Config, options: VerifyOptions, now: () => number): Promise<number> {
  const place = placeOf(statePlace(config, realUser()), options);
  if (place.kind === 'service' && hasEncryptedKey(config))
    throw new NotpError(
      'failed',
      'only the service has the key of the chain',
      'decrypt it with systemd-creds for the check, and delete the decrypted file afterwards',
    );
  if (options.resume) await asUser(place.owner, () => resume(place, now));
  // Read as the caller, like the copy of the log.
  const given = options.key === undefined ? [] : keysIn(options.key);
  const line = openProgressLine(now);
  const progress: Progress = (bytes, records) => {
    line.show(() => `${String(records)} records, ${String(Math.floor(bytes / 1e6))} MB`);
  };
  // Read the heads first: records that come while the log is read follow them.
  const chains = await asUser(place.owner, () => withState(place, now, (state) => chainsOf(state, place, options.host)));
  const file = options.file ?? place.auditFile;
  const reportOn = async (chain: KnownChain): Promise<Report> => {
    const headNow = (): Promise<ChainHead> =>
      asUser(place.owner, () =>
        withPresentState(place, now, ({ store }) => store.exclusively((transaction) => headIn(transaction, chain.log))),
      );
    const verified = (): Promise<Report> => verifyLog(file, { ...chain, headNow, keys: [...given, ...chain.keys], progress });
    return await (options.file === undefined ? asUser(place.owner, verified) : verified()).finally(() => {
      line.end();
    });
  };
  const [newest, ...earlier] = chains;
  let [report, isNewest] = [await reportOn(newest), true];
  for (const chain of earlier) {
    if (report.problems.length === 0) break;
    const other = await reportOn(chain);
    if (other.problems.length === 0) [report, isNewest] = [other, false];
  }
  const why = options.host === undefined && isLost(place.auditFile, newest.known) ? lostHead(place.auditFile) : undefined;
  printReport(report, { ...options, logs: chains.length, isNewest }, why);
  return report.problems.length === 0 ? 0 : 1;
}

/**
 * Resumes the chain after the last record in the log file, which only its owner can write, and records that. Throws
 * `refused` if the head in the store is valid.
 */
async function resume(place: StatePlace, now: () => number): Promise<void> {
  const { name: user, uid } = realUser();
  await withPresentState(place, now, async (state) => {
    if (place.kind === 'service' && state.hostKey === undefined)
      throw new NotpError(
        'failed',
        'there is no host key to resume the chain with',
        'bring the key back from its copy, or run notp host-key init if there is none',
      );
    await state.store.exclusively(async (transaction) => {
      const keys = chainKeys(state, await transaction.formerChainKeys());
      const why = await whyLost(place.auditFile, transaction);
      if (why === undefined)
        throw new NotpError('refused', 'the head of the audit chain in the store is as notp wrote it', 'leave out --resume');
      const last = await moveToLast(place.auditFile, transaction, keys);
      const detail = `after record ${String(last)}: ${why}, and records that waited there are given up`;
      const record = { user, uid, context: '', door: 'cli', event: 'audit.resumed', result: 'done', detail } as const;
      await append(state.log, transaction, { ...record, ref: newRef() });
    });
  });
}

/** Why the chain cannot continue by itself; undefined if it can. */
async function whyLost(file: string, transaction: Transaction): Promise<string | undefined> {
  try {
    return isLost(file, await transaction.head()) ? 'the store knew no record of this log' : undefined;
  } catch (error) {
    if (error instanceof ChangedHead) return 'the store did not know this log, or its head there was changed outside notp';
    throw error;
  }
}

/** The place of the log to check. Throws `usage` if there is no such log. */
function placeOf(place: StatePlace, options: VerifyOptions): StatePlace {
  refuseUnshared(place, options);
  const found = options.outage ? outagePlace(place) : place;
  if (found !== undefined) return found;
  throw new NotpError('usage', 'store.outage is "deny", so this host decides nothing in an outage', 'leave out --outage');
}

function refuseUnshared({ store }: StatePlace, { host, file, key }: VerifyOptions): void {
  if (host === undefined && (file !== undefined || key !== undefined))
    throw new NotpError('usage', '--file and --key are for the log of another host', 'name that host with --host');
  if (host !== undefined && store.kind !== 'postgres')
    throw new NotpError('usage', 'the store of this host is not shared, so it knows no other host', 'leave out --host');
}

/** What the store knows of a log. `log`: its id; undefined for the log of this host. */
type KnownChain = Pick<Chain, 'known' | 'marks' | 'backlog' | 'keys' | 'storedKeys'> & { readonly log: string | undefined };

/** The log of this host, or the logs that `host` had under its name, the newest first. */
async function chainsOf(
  state: State | undefined,
  place: StatePlace,
  host: string | undefined,
): Promise<readonly [KnownChain, ...KnownChain[]]> {
  if (state === undefined) throw noState(place, 'nobody has enrolled yet');
  return await state.store.exclusively(async (transaction) => {
    const storedKeys = await transaction.formerChainKeys();
    const keys = chainKeys(state, storedKeys);
    const chainOf = async (log: string | undefined): Promise<KnownChain> => {
      // The marks first: another host may write records at this moment, and no mark is above its head.
      const marks = await transaction.marks(log);
      const known = await headIn(transaction, log);
      return { log, known, marks, backlog: await transaction.backlog(log), storedKeys, keys };
    };
    if (host === undefined) return [await chainOf(undefined)];
    const [newest, ...earlier] = logsOf(await transaction.heads(), host);
    const chains: [KnownChain, ...KnownChain[]] = [await chainOf(newest.log)];
    for (const { log, head } of earlier) if (head !== undefined) chains.push(await chainOf(log));
    return chains;
  });
}

/** The head of the log of this host, or of the one with the id `log`. */
async function headIn(transaction: Transaction, log: string | undefined): Promise<ChainHead> {
  if (log === undefined) return await transaction.head();
  const found = (await transaction.heads()).find((each) => each.log === log);
  if (found?.head !== undefined) return found.head;
  throw new NotpError('store_unavailable', `the head of the log of ${quoted(found?.host ?? log)} in the store was changed outside notp`);
}

function logsOf(heads: readonly HostHead[], host: string): readonly [HostHead, ...HostHead[]] {
  const [newest, ...earlier] = heads.filter((each) => each.host === host).toReversed();
  if (newest !== undefined) return [newest, ...earlier];
  throw unknownHost(host, heads);
}

function unknownHost(host: string, heads: readonly HostHead[]): NotpError {
  const names = [...new Set(heads.map((each) => each.host))];
  const some = names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ' and others' : '');
  return new NotpError('refused', `the store knows no host ${quoted(host)}`, `it knows ${some}: notp store hosts`);
}

function keysIn(file: string): Uint8Array[] {
  const keys = readHostKey(file, realUser());
  if (keys === undefined) throw new NotpError('usage', `${file}: there is no such file`);
  return keysOf(keys).map(({ key }) => auditKey(key));
}

function printReport(
  { problems, records, first, last, cutOff, cutOffAt, unlinked }: Report,
  { json, host, logs, isNewest }: VerifyOptions & { readonly logs: number; readonly isNewest: boolean },
  why?: NotpError,
): void {
  const [from, to] = [first, last?.seq ?? 0];
  const whole = problems.length === 0;
  if (json)
    printResult(
      JSON.stringify({ whole, records, first, last: to, cut_off: cutOff, unlinked, problems, ...(host === undefined ? {} : { logs }) }) +
        '\n',
    );
  else if (whole) printResult(`The log is whole: records ${String(from)} to ${String(to)}, ${String(records)} in all\n`);
  for (const problem of problems) sayError(problem);
  if (why !== undefined) {
    sayError(why.message);
    sayHint(why.hint ?? '');
    return;
  }
  if (host !== undefined && logs > 1 && !json)
    sayHint(
      `${quoted(host)} has had ${String(logs)} logs${isNewest ? '' : ', and this is an earlier one'}: another host had that name, or root there ran notp audit verify --resume, and what the store knew of the earlier ones is not known of the newest`,
    );
  if (!whole) sayHint(host === undefined ? PROBLEM_HINT : `${PROBLEM_HINT}; ${COPY_HINT}`);
  else if (!json) sayRemarks({ first, cutOff, cutOffAt, unlinked });
}

/** Prints remarks that are neither faults nor proven: the chain cannot show who wrote these lines, or removed them. */
function sayRemarks({ first, cutOff, cutOffAt, unlinked }: Pick<Report, 'first' | 'cutOff' | 'cutOffAt' | 'unlinked'>): void {
  if (first > 1) sayHint(`records 1 to ${String(first - 1)} are not here: deleted after rotation, or removed by somebody`);
  if (cutOff > 0)
    sayHint(
      `records cut off by a crash, inserted by somebody, or written before the state was restored to an earlier one, so it is unknown whether their decisions took effect: ` +
        `${String(cutOff)}, at ${cutOffAt.join(', ')}${cutOff > cutOffAt.length ? ' and others' : ''}`,
    );
  if (unlinked > 0) sayHint(`records outside the chain, written while there was no state: ${String(unlinked)}`);
}

interface VerifyFlags extends CommonFlags {
  readonly host?: string;
  /** A list, since the parent command `audit` parses the same option. */
  readonly file?: readonly string[];
  readonly key?: string;
  readonly outage?: boolean;
  readonly resume?: boolean;
  readonly json?: boolean;
}

/** Adds `verify`. */
export function addVerify(audit: Command, now: () => number, finish: Finish): void {
  common(audit.command('verify'))
    .description('check that no record was changed, removed, moved or cut off, in rotated files too')
    .option('--host <name>', 'check the log of another host that shares the store, against its head in the store')
    .option('--file <file>', "with --host: that log or a copy of it, with its rotated files (default: this host's log)", collected)
    .option('--key <file>', 'with --host: a copy of the key file of that host, if it has its own key')
    .addOption(
      new Option('--outage', 'check the log of decisions of this host while it could not reach the store').conflicts([
        'host',
        'file',
        'key',
      ]),
    )
    .addOption(
      new Option('--resume', "resume the chain after the last record of the log, if the store's head was changed outside notp").conflicts([
        ...['host', 'file', 'key', 'json'],
      ]),
    )
    .option('--json', 'print one JSON object')
    .action(async (_: unknown, command: Command) => {
      const { host, file: files = [], key, outage, json, ...flags } = command.optsWithGlobals<VerifyFlags>();
      const [file, ...others] = files;
      if (others.length > 0) command.error("error: option '--file <file>' of verify takes one log; check the logs one after the other");
      const options = { host, file, key, outage: outage === true, resume: flags.resume === true, json: json === true };
      finish(await verifyAudit(configOf(flags), options, now));
    });
}
