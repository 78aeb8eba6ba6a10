/** What the words of the log mean to an administrator. Each event, method and reason has an entry: the types hold it. Pure. */
import type { Entry } from '../../audit/entry.ts';
import type { Event } from '../../audit/record.ts';
import type { Method, Reason } from '../../verdict/reasons.ts';

/** Every event, in words. */
const EVENTS: Readonly<Record<Event, string>> = {
  'login.accepted': 'accepted',
  'login.refused': 'refused',
  enroll: 'enrolled',
  replace: 'enrolled anew',
  'enroll.failed': 'enrolment failed',
  import: 'imported',
  'import.failed': 'import failed',
  invite: 'invited to enrol',
  revoke: 'revoked',
  passphrase: 'new passphrase',
  'passphrase.failed': 'passphrase not changed',
  recovery: 'new recovery codes',
  'recovery.failed': 'recovery codes not changed',
  'recovery.used': 'recovery code used',
  unlock: 'unlocked',
  reseal: 'sealed anew',
  'reseal.failed': 'not sealed anew',
  export: 'secret shown again',
  'host_key.created': 'host key made',
  'host_key.rotated': 'new host key',
  'host_key.retired': 'earlier host keys removed',
  'outage.approved': 'approved for outages',
  'outage.withdrawn': 'approval withdrawn',
  'outage.conflict': 'code used twice in outage',
  'audit.resumed': 'audit chain resumed',
};

const METHODS: Readonly<Record<Method, string>> = {
  totp: 'by a code',
  hotp: 'by a counted code',
  step_up: 'by codes in a row',
  recovery: 'by a recovery code',
  same_connection: 'same connection',
  trusted: 'trusted source',
  unenrolled: 'not enrolled',
};

/** What an administrator can do about a refusal. */
const ADVICE: Readonly<Record<Reason, string>> = {
  wrong_code:
    'the clock of the phone or of this host may be off (timedatectl), or the code is of another account or of an older enrolment; if it stays, notp-enroll USER --replace',
  replayed: 'nothing to mend: each code works once; if the user did not type it, somebody else has seen a code',
  wrong_passphrase: 'only the user knows the passphrase; if it is forgotten, notp-enroll USER --replace',
  step_up_required:
    "tell the user to type two consecutive codes, three where the detail says so, or a recovery code; many tries that are not the user's own are somebody guessing: look at their sources",
  not_enrolled: 'notp-enroll USER enrols them; `unenrolled` in notp.toml says what happens to those who are not',
  revoked: 'somebody revoked it: notp audit --event revoke --user USER tells when; notp-enroll USER enrols them again',
  stale_enrolment: 'an old copy of the sealed file was put back: restore the current one from a backup, or notp-enroll USER --replace',
  bad_secret_file: 'the detail says what is wrong with the file; mend its owner and mode, or notp-enroll USER --replace',
  no_proof: 'nothing was typed: a program without a terminal needs LC_NOTP, or the PAM door',
  timeout: 'nobody typed a code in time; `timeout` of [gate] in notp.toml says how long it waits',
  store_unavailable: 'notp doctor looks for the cause: a full disk, a service that does not start, a key that is missing',
  audit_unavailable: 'the log could take no line: look for a full disk, then run notp doctor',
  not_permitted: 'this user may not ask here; the detail says why',
  bad_configuration: 'the configuration was not readable then: notp doctor reads it again and names the line',
};

export const EVENT_NAMES: readonly string[] = Object.keys(EVENTS);
export const REASON_NAMES: readonly string[] = Object.keys(ADVICE);

/** The parts of names before their dot, which stand for all that begin so: `login`. */
export const EVENT_FAMILIES: readonly string[] = [...new Set(EVENT_NAMES.map((name) => name.replace(/\..*/, '')))].filter(
  (name) => !EVENT_NAMES.includes(name),
);

/** What happened, as short as a table needs it; a reason stands as its stable word. May hold anything that the log holds. */
export function happened({ event, reason, method, count }: Entry): string {
  const words = lookUp(EVENTS, event) ?? event;
  if (count > 1) return `${String(count)} x ${reason ?? (method === undefined ? words : (lookUp(METHODS, method) ?? method))}`;
  if (reason !== undefined) return `${words}: ${reason}`;
  return method === undefined || event !== 'login.accepted' ? words : `${words} ${lookUp(METHODS, method) ?? method}`;
}

/** The width of the longest that happened() gives for what notp itself records. */
export const HAPPENED_COLUMNS = Math.max(
  ...[
    ...Object.values(EVENTS),
    ...REASON_NAMES.map((reason) => `${EVENTS['login.refused']}: ${reason}`),
    ...Object.values(METHODS).map((method) => `${EVENTS['login.accepted']} ${method}`),
  ].map((words) => words.length),
);

/** What to do about the refusal of `user`; undefined for what was no refusal. */
export function adviceOn({ reason }: Entry, user: string): string | undefined {
  return reason === undefined ? undefined : lookUp(ADVICE, reason)?.replaceAll('USER', () => user);
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
