/**
 * What is measured, part by part. A part that cannot be read says so in `notp_up` and leaves its other families out, so that no alert takes a
 * missing number for a good one. Labels have few values, and never the name of a user.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isLost, lostHead } from '../../audit/resume.ts';
import { leaveFleetJudges, memberHealth } from '../../doors/forward.ts';
import { messageOf, NotpError } from '../../error.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { keptAnswer, lastRunMs } from '../../doctor/kept.ts';
import { sharedBucket } from '../../login/account.ts';
import { openCopy, outagePlace } from '../../outage/outage.ts';
import { waitingOn } from '../../outage/report.ts';
import { storeName, type StatePlace } from '../../state/place.ts';
import { withState } from '../../state/state.ts';
import { uptimeMs } from '../../store/clock.ts';
import type { Enrolment } from '../../store/store.ts';
import { isMember, type Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { sayError } from '../../terminal/printer.ts';
import { codesNeeded, priceOf } from '../../verdict/budget.ts';
import { changesIn, countNew, decisionsIn, keepCounters, keptCounters, NOTHING_COUNTED, type Counters } from './counters.ts';
import type { Family, Sample } from './exposition.ts';

/** How long a member waits for its judges. */
const JUDGES_MS = 5_000;

/** What all of it is read from. */
export interface Sources {
  readonly config: Config;
  readonly place: StatePlace;
  readonly now: () => number;
}

/** A part of notp, and its families. Each throws where it cannot be read. */
type Parts = Readonly<Record<string, (sources: Sources) => readonly Family[] | Promise<readonly Family[]>>>;

const PARTS: Parts = { log: logFamilies, store: storeFamilies, outage: outageFamilies, doctor: doctorFamilies, keys: keyFamilies };
/** Those of a member of a fleet, which has neither store nor host key. */
const MEMBER_PARTS: Parts = { log: logFamilies, judges: judgesFamilies, doctor: doctorFamilies };

export interface Measured {
  readonly families: readonly Family[];
  /** The parts that could not be read, with their errors. */
  readonly failed: ReadonlyMap<string, unknown>;
}

/** Measures everything. Never rejects. */
export async function measure(sources: Sources): Promise<Measured> {
  const families: Family[] = [];
  const failed = new Map<string, unknown>();
  const parts = isMember(sources.config) ? MEMBER_PARTS : PARTS;
  for (const [part, read] of Object.entries(parts)) {
    try {
      families.push(...(await read(sources)));
    } catch (error) {
      failed.set(part, error);
    }
  }
  const up = Object.keys(parts).map((part) => ({ labels: { part }, value: failed.has(part) ? 0 : 1 }));
  return { families: [gauge('notp_up', 'Whether this part of notp could be read.', up), ...families], failed };
}

function gauge(name: string, help: string, samples: readonly Sample[] | number): Family {
  return { name, type: 'gauge', help, samples: typeof samples === 'number' ? [{ value: samples }] : samples };
}

async function logFamilies({ place }: Sources): Promise<readonly Family[]> {
  // A log without a record yet has no file, but a folder.
  fs.statSync(path.dirname(place.auditFile));
  const before = earlierCounters();
  const counters = await asUser(place.owner, () => countNew(place.auditFile, before));
  keepCounters(counters);
  return countedFamilies(counters);
}

/** Damaged ones begin again, which Prometheus takes for a restart. */
function earlierCounters(): Counters {
  try {
    return keptCounters() ?? NOTHING_COUNTED;
  } catch (error) {
    sayError(`the counts of the last run cannot be read: ${messageOf(error)}`, 'they begin again with the log that is there');
    return NOTHING_COUNTED;
  }
}

function countedFamilies(counters: Counters): readonly Family[] {
  const decisions = decisionsIn(counters).map(({ door, result, why, count }) => ({
    labels: { door, result, [result === 'accepted' ? 'method' : 'reason']: why },
    value: count,
  }));
  const changes = changesIn(counters).map(({ event, count }) => ({ labels: { event }, value: count }));
  return [
    {
      name: 'notp_decisions',
      type: 'counter',
      help: 'Decisions in the audit log of this host, with those that it only sums up.',
      samples: decisions,
    },
    { name: 'notp_changes', type: 'counter', help: 'Records of other events in the audit log of this host.', samples: changes },
  ];
}

async function storeFamilies(sources: Sources): Promise<readonly Family[]> {
  const { config, place, now } = sources;
  // The log was counted before, if it is there.
  const hadRecords = earlierCounters().seq > 0;
  const beganMs = performance.now();
  return await asUser(place.owner, () =>
    withState(place, now, async (state) => {
      // Before the first enrolment there is no store, and was no record of its chain.
      if (state === undefined && !hadRecords) return enrolmentFamilies([], config, now());
      if (state === undefined) throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file, but records of it`);
      const head = await state.store.exclusively((transaction) => transaction.head());
      const latency = (performance.now() - beganMs) / 1000;
      if (isLost(place.auditFile, head)) throw lostHead(place.auditFile);
      const [enrolments, waiting, nowMs] = await state.store.exclusively(async (transaction) => [
        await transaction.enrolments(),
        (await transaction.backlog()).length,
        (await transaction.clockMs()) ?? now(),
      ]);
      return [
        gauge('notp_store_latency_seconds', 'How long it took to open the store, get its lock and read a row.', latency),
        gauge('notp_audit_records_waiting', 'Records that wait in the store, as the audit log could not be written.', waiting),
        ...enrolmentFamilies(enrolments, config, nowMs),
      ];
    }),
  );
}

const STATUSES = ['active', 'invited', 'revoked', 'incomplete', 'changed'] as const;

/** Of a fleet: of all its hosts. */
function enrolmentFamilies(enrolments: readonly Enrolment[], { policy, contexts }: Config, nowMs: number): readonly Family[] {
  const byStatus = Map.groupBy(enrolments, statusOf);
  // A key that is encrypted is not opened here, so nothing says whether these are genuine.
  const active = (byStatus.get('active') ?? []).map(withoutDoubt);
  const accounts = Map.groupBy(
    active.filter(({ context }) => contexts.includes(context)),
    ({ user }) => user,
  );
  const isEmpty = (devices: readonly Enrolment[]): boolean =>
    codesNeeded(sharedBucket(devices, policy, nowMs), priceOf(devices.length, policy)) > 1;
  return [
    gauge(
      'notp_enrolments',
      'Enrolments: active, invited (pending), revoked, incomplete, or changed outside notp.',
      STATUSES.map((status) => ({ labels: { status }, value: byStatus.get(status)?.length ?? 0 })),
    ),
    gauge(
      'notp_enrolments_never_used',
      'Active enrolments whose codes were never accepted.',
      active.filter(({ lastAcceptedMs }) => lastAcceptedMs === 0).length,
    ),
    gauge(
      'notp_enrolments_without_recovery_codes',
      'Active enrolments without a recovery code that is left.',
      active.filter(({ state }) => recoveryLeft(state) === 0).length,
    ),
    gauge(
      'notp_accounts_budget_empty',
      'Accounts that are asked for several codes (step-up), as their guess budget is empty.',
      [...accounts.values()].filter(isEmpty).length,
    ),
  ];
}

function withoutDoubt(enrolment: Enrolment): Enrolment {
  const { doubt: _, ...rest } = enrolment;
  return rest;
}

function statusOf({ status, id, doubt }: Enrolment): (typeof STATUSES)[number] {
  if (status === 'revoked') return status;
  if (doubt === 'forged') return 'changed';
  return status === 'active' && id === '' ? 'incomplete' : status;
}

/** No numbers: whether a judge answers. */
async function judgesFamilies({ config, place }: Sources): Promise<readonly Family[]> {
  try {
    const { reason, detail } = await asUser(place.owner, () => memberHealth(config, uptimeMs() + JUDGES_MS));
    if (reason !== undefined) throw new NotpError('store_unavailable', detail);
    return [];
  } finally {
    leaveFleetJudges();
  }
}

/** Nothing if this host keeps no copy for outages. */
async function outageFamilies({ place, now }: Sources): Promise<readonly Family[]> {
  if (outagePlace(place) === undefined) return [];
  const users = await asUser(place.owner, async () => {
    const copy = openCopy(place, now, { create: false });
    try {
      return (await copy?.store.exclusively((transaction) => waitingOn(transaction))) ?? [];
    } finally {
      copy?.store.close();
    }
  });
  return [gauge('notp_outage_reports_waiting', 'Users whose logins in an outage the store of the fleet does not know yet.', users.length)];
}

const SEVERITIES = ['fail', 'warn', 'info'] as const;

/** Of the last run of notp doctor --changes. */
function doctorFamilies(): readonly Family[] {
  const found = keptAnswer() ?? [];
  const checks = (severity: string): number => new Set(found.filter((each) => each.severity === severity).map(({ id }) => id)).size;
  return [
    gauge(
      'notp_doctor_findings',
      'Checks of notp doctor by what they found.',
      SEVERITIES.map((severity) => ({ labels: { severity }, value: checks(severity) })),
    ),
    gauge('notp_doctor_last_run_timestamp_seconds', 'When notp doctor --changes last ran; 0 if never.', (lastRunMs() ?? 0) / 1000),
  ];
}

/** Of each file, as it is or encrypted. Throws where one is not there. */
function keyFamilies({ config }: Sources): readonly Family[] {
  const samples = config.hostKeys.map((file): Sample => {
    const stats = [file, `${file}.cred`].map((each) => fs.lstatSync(each, { throwIfNoEntry: false })).find((each) => each !== undefined);
    if (stats === undefined) throw new NotpError('failed', `${file}: there is no such file`);
    return { labels: { file: path.basename(file) }, value: stats.mtimeMs / 1000 };
  });
  return [
    gauge('notp_host_key_changed_timestamp_seconds', 'When the file of a host key was last written, as by notp host-key rotate.', samples),
  ];
}
