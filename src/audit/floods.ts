/**
 * A flood of refusals, or of acceptances without a new code, is summarised but never dropped. The first logins of a user have a
 * record each, and one more each minute. Those between are counted in the store, in the transaction of their decision. A summary with their number is written
 * before the next record of that user, as soon as there is room. Counted logins get the reference of the last record before them. The summary has the
 * same reference, so it finds both.
 */
import { parseJson } from '../json.ts';
import { SHARED_BYTES, type Flood, type Tally } from '../store/store.ts';
import { WORDING, type Reason } from '../verdict/reasons.ts';
import { isEmpty, refilled, taken, type BudgetPolicy } from '../verdict/budget.ts';
import { DOORS, type AuditRecord } from './record.ts';

/** This many at once have a record each, and one more each minute. */
const RECORDS: BudgetPolicy = { budget: 100, refillMs: 60_000 };

/** Fields that a summary keeps if all counted logins share the value. */
const SHARED = ['uid', 'context', 'door', 'service', 'rhost', 'host', 'reason', 'method', 'detail'] as const;
type Shared = Partial<Pick<AuditRecord, (typeof SHARED)[number]>>;

/** The methods of acceptances without a new code. */
const COUNTED_METHODS = ['same_connection', 'remembered', 'rule'] as const;

/** Acceptances whose detail is the rule that let them in. */
const BY_RULE: readonly unknown[] = ['remembered', 'rule'];

/** The note in the last record before further logins are only counted. */
const MORE = 'may only be counted, and summarised in one record a minute';

/** The kind of flood that the record may be part of; undefined if it always has a record of its own. */
export function floodOf({ event, method, result }: AuditRecord): Flood | undefined {
  // Any refusal, as it costs an attacker nothing.
  if (result === 'refused') return 'refusals';
  return event === 'login.accepted' && COUNTED_METHODS.some((each) => each === method) ? 'acceptances' : undefined;
}

/** The tally after one more login, and its record; the record is undefined if the login is only counted. */
export function afterOneMore(
  flood: Flood,
  before: Tally,
  record: AuditRecord,
  nowMs: number,
): { readonly after: Tally; readonly record: AuditRecord | undefined } {
  const records = refilled(before.records, RECORDS, nowMs);
  if (isEmpty(records, 1)) return { after: tallyWith(flood, { ...before, records }, record, nowMs), record: undefined };
  const after = { ...before, records: taken(records, 1), ref: record.ref };
  if (!isEmpty(after.records, 1)) return { after, record };
  const more = `further ${flood} ${MORE}`;
  return { after, record: { ...record, detail: record.detail === undefined ? more : `${record.detail}; ${more}` } };
}

/** The summary of the counted logins, as of `nowMs`; undefined if there are none. */
export function summaryOf(flood: Flood, { user, count, sinceMs, untilMs, ref, shared }: Tally, nowMs: number): AuditRecord | undefined {
  if (count === 0) return undefined;
  const common = sharedOf(flood, shared);
  const details = [
    common.detail ?? '',
    user === '' ? 'of names that are not enrolled' : '',
    common.door === undefined ? 'at several doors' : '',
  ];
  const detail = details.filter((each) => each !== '').join(', ');
  // If the clock was set back, the counted times may be later than now.
  const time = (ms: number): string => new Date(Math.min(ms, nowMs)).toISOString();
  const [since, until] = [time(sinceMs), time(untilMs)];
  const sum = { user, context: common.context ?? '', ...(detail === '' ? {} : { detail }), count, since, until, ref } as const;
  // A summary of several doors is written as one of the gate: readers such as fail2ban trust records of the PAM door more.
  if (flood === 'refusals') return { door: 'gate', event: 'login.refused', ...common, ...sum, result: 'refused' };
  return { door: 'gate', event: 'login.accepted', ...common, ...sum, result: 'accepted' };
}

/** The tally after counting `record` instead of writing it. Its reference is that of the last record, or of `record` if there is none. */
export function tallyWith(flood: Flood, before: Tally, record: AuditRecord, nowMs: number): Tally {
  const first = before.count === 0;
  const shared = first ? sharedBy(record, before.user) : inCommon(sharedOf(flood, before.shared), record);
  const ref = before.ref === '' ? record.ref : before.ref;
  return { ...before, ref, count: before.count + 1, sinceMs: first ? nowMs : before.sinceMs, untilMs: nowMs, shared: fitting(shared) };
}

/** The shared fields of one login. The uid is left out for names that are not enrolled: one may be a user's and the next nobody's. */
function sharedBy(record: AuditRecord, user: string): Shared {
  const isMeant = { uid: user !== '', detail: BY_RULE.includes(record.method) };
  const keys = SHARED.filter((key) => record[key] !== undefined && (key === 'uid' || key === 'detail' ? isMeant[key] : true));
  return Object.fromEntries(keys.map((key) => [key, record[key]]));
}

function inCommon(shared: Shared, record: AuditRecord): Shared {
  const keys = SHARED.filter((key) => shared[key] === record[key] || (key === 'detail' && isCutOf(shared.detail, record.detail)));
  return withDoor(Object.fromEntries(keys.map((key) => [key, shared[key]])));
}

/** The door says how far the service and the address can be trusted. Without it they mean nothing and are left out. */
function withDoor(shared: Shared): Shared {
  if (shared.door !== undefined) return shared;
  const { service: _, rhost: __, ...rest } = shared;
  return rest;
}

const CUT = '…';

/**
 * As text that fits into the store. The detail is cut first, at its end: it begins with the rule, and the reason follows. A very long source is
 * left out rather than cut.
 */
function fitting(shared: Shared): string {
  const text = JSON.stringify(shared);
  if (fits(text)) return text;
  const { uid, context, door, reason, method, detail } = shared;
  return (
    withCut(shared) ?? withCut({ uid, context, door, reason, method, detail }) ?? JSON.stringify({ uid, context, door, reason, method })
  );
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= SHARED_BYTES;
}

/** The text with as much of the detail as fits; undefined where none does. */
function withCut({ detail, ...others }: Cuttable): string | undefined {
  const characters = Array.from(detail ?? '');
  for (let kept = characters.length - 1; kept > 0; kept--) {
    const text = JSON.stringify({ ...others, detail: `${characters.slice(0, kept).join('')}${CUT}` });
    if (fits(text)) return text;
  }
  return undefined;
}

type Cuttable = { readonly [Key in keyof Shared]: Shared[Key] | undefined };

/** Whether `kept` is `detail` as fitting() cuts it. */
function isCutOf(kept: string | undefined, detail: string | undefined): boolean {
  return kept?.endsWith(CUT) === true && detail?.startsWith(kept.slice(0, -CUT.length)) === true;
}

/** The shared fields from the store. The store is not trusted, so anything that notp would not have written is left out. */
function sharedOf(flood: Flood, text: string): Shared {
  const fields = fieldsOf(text);
  const textOf = (key: string): string | undefined => {
    const value = fields[key];
    return typeof value === 'string' && value.length <= SHARED_BYTES ? value : undefined;
  };
  const uid = Number.isSafeInteger(fields['uid']) ? Number(fields['uid']) : undefined;
  const door = DOORS.find((each) => each === fields['door']);
  const reason = flood === 'refusals' ? (Object.keys(WORDING) as Reason[]).find((each) => each === fields['reason']) : undefined;
  const method = flood === 'acceptances' ? COUNTED_METHODS.find((each) => each === fields['method']) : undefined;
  const [context, service, rhost, host] = ['context', 'service', 'rhost', 'host'].map(textOf);
  const detail = BY_RULE.includes(method) ? textOf('detail') : undefined;
  const known = { uid, context, door, service, rhost, host, reason, method, detail };
  return withDoor(Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)));
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = parseJson(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
