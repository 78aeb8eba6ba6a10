/** Texts for the events, methods and reasons of the log. The types make sure that none is missing. Pure. */
import type { Entry } from '../../audit/entry.ts';
import type { Event } from '../../audit/record.ts';
import type { Method, Reason } from '../../verdict/reasons.ts';

/** The text of every event. */
const EVENTS: Readonly<Record<Event, string>> = {
  'login.accepted': 'accepted',
  'login.refused': 'refused',
  enroll: 'enrolled',
  replace: 'enrolled again',
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
  reseal: 're-sealed',
  'reseal.failed': 'not re-sealed',
  export: 'secret shown again',
  'host_key.created': 'host key made',
  'host_key.rotated': 'new host key',
  'host_key.retired': 'earlier host keys removed',
  forget: 'forgot sources',
  grant: 'granted',
  'grant.ended': 'grant ended',
  'rules.put': 'rules put',
  'rules.removed': 'rules removed',
  'fleet.revoked': 'member revoked',
  'outage.approved': 'approved for outages',
  'outage.withdrawn': 'approval withdrawn',
  'outage.conflict': 'code used twice in outage',
  'audit.resumed': 'audit chain resumed',
  'doctor.changed': 'other answer of doctor',
};

const METHODS: Readonly<Record<Method, string>> = {
  totp: 'by a code',
  hotp: 'by an HOTP code',
  step_up: 'by codes in a row',
  recovery: 'by a recovery code',
  same_connection: 'same connection',
  remembered: 'by an earlier code',
  rule: 'by a rule',
  grant: 'by a grant',
  unenrolled: 'not enrolled yet',
};

/** What an administrator can do about a refusal, by reason. */
const ADVICE: Readonly<Record<Reason, string>> = {
  wrong_code:
    'the clock of the phone or of this host may be wrong (timedatectl), or the code is for another account or an older enrolment; if it keeps happening, notp-enroll USER --replace',
  replayed: 'nothing to fix: each code works once; if the user did not type it, somebody else has seen a code',
  wrong_passphrase: 'only the user knows the passphrase; if it is forgotten, notp-enroll USER --replace',
  step_up_required:
    'tell the user to type two consecutive codes, three if the detail says so, or a recovery code; if the user did not make these tries, somebody is guessing: check the sources',
  not_enrolled: 'notp-enroll USER enrols the user; a rule with enrol_by in notp.toml lets users in until they have enrolled',
  revoked: 'somebody revoked it: notp audit --event revoke --user USER shows when; notp-enroll USER enrols the user again',
  stale_enrolment: 'an old copy of the sealed file came back: restore the current one from a backup, or notp-enroll USER --replace',
  bad_secret_file: 'the detail says what is wrong with the file; fix its owner and mode, or notp-enroll USER --replace',
  no_proof: 'nothing was typed: a program without a terminal needs LC_NOTP, or the PAM door',
  timeout: 'nobody typed a code in time; `timeout` of [gate] in notp.toml says how long it waits',
  store_unavailable: 'notp doctor finds the cause: a full disk, a service that does not start, a missing key',
  audit_unavailable: 'the log could not be written: check for a full disk, then run notp doctor',
  not_permitted: 'this user may not ask here; the detail says why',
  bad_configuration: 'the configuration was not readable then: notp doctor reads it again and names the line',
};

export const EVENT_NAMES: readonly string[] = Object.keys(EVENTS);
export const REASON_NAMES: readonly string[] = Object.keys(ADVICE);

/** The parts of event names before the dot, such as `login`; each stands for all events that begin with it. */
export const EVENT_FAMILIES: readonly string[] = [...new Set(EVENT_NAMES.map((name) => name.replace(/\..*/, '')))].filter(
  (name) => !EVENT_NAMES.includes(name),
);

/** A short text for the table; a reason is shown as its stable word. Not escaped: it may contain anything from the log. */
export function eventText({ event, reason, method, count }: Entry): string {
  const words = lookUp(EVENTS, event) ?? event;
  if (count > 1) return `${String(count)} x ${reason ?? (method === undefined ? words : (lookUp(METHODS, method) ?? method))}`;
  if (reason !== undefined) return `${words}: ${reason}`;
  return method === undefined || event !== 'login.accepted' ? words : `${words} ${lookUp(METHODS, method) ?? method}`;
}

/** The width of the longest text of eventText() for records of notp. */
export const EVENT_COLUMNS = Math.max(
  ...[
    ...Object.values(EVENTS),
    ...REASON_NAMES.map((reason) => `${EVENTS['login.refused']}: ${reason}`),
    ...Object.values(METHODS).map((method) => `${EVENTS['login.accepted']} ${method}`),
  ].map((words) => words.length),
);

/** What to do about the refusal of `user`; undefined if it was not a refusal. */
export function adviceOn({ reason }: Entry, user: string): string | undefined {
  return reason === undefined ? undefined : lookUp(ADVICE, reason)?.replaceAll('USER', () => user);
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
