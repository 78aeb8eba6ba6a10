/** All reasons of a refusal and all methods of an acceptance, with the one table of their wording. Pure. */

export type Reason =
  | 'wrong_code'
  | 'replayed'
  | 'wrong_passphrase'
  | 'step_up_required'
  | 'not_enrolled'
  | 'revoked'
  | 'stale_enrolment'
  | 'bad_secret_file'
  | 'no_proof'
  | 'timeout'
  | 'store_unavailable'
  | 'audit_unavailable'
  | 'not_permitted'
  | 'bad_configuration';

export type Method = 'totp' | 'hotp' | 'step_up' | 'recovery' | 'same_connection' | 'remembered' | 'rule' | 'grant' | 'unenrolled';

export const METHODS: readonly Method[] = [
  ...(['totp', 'hotp', 'step_up', 'recovery'] as const),
  ...(['same_connection', 'remembered', 'rule', 'grant', 'unenrolled'] as const),
];

export interface Wording {
  /** What happened, for the person: lower case, no full stop, no oracle. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

/** The reference that finds the record of a refusal, for the message. An empty `ref` means that there is no record. */
export function referenceTo(ref: string): string {
  return ref === '' ? '(no record of it could be made)' : `(ref ${ref})`;
}

/** The message instead of a reason that would reveal something about a user: the same for all, and enough for the owner. */
export const TO_A_STRANGER = 'code not accepted; after several failed tries type two or three consecutive codes';

export const WORDING: Readonly<Record<Reason, Wording>> = {
  wrong_code: {
    message: 'code not accepted',
    hint: 'check the clock of your phone, and that the code is for this account and host; with a counter token type two in a row',
  },
  replayed: { message: 'code already used', hint: 'wait for the next code; each code works once, also a recovery code' },
  wrong_passphrase: { message: 'passphrase not accepted', hint: 'it is the one chosen at enrolment, not the login password' },
  step_up_required: {
    message: 'too many failed tries: two consecutive codes are needed',
    hint: 'type a code, a blank, and the code that follows it (123456 654321), or a recovery code (two, of 8 digits)',
  },
  not_enrolled: { message: 'not enrolled for one-time codes', hint: 'ask an administrator to run notp-enroll for you' },
  revoked: { message: 'this enrolment was revoked', hint: 'ask an administrator to enrol you again' },
  stale_enrolment: {
    message: 'the sealed file is not the registered one',
    hint: 'an old copy does not log in; restore the current file or ask for a new enrolment',
  },
  bad_secret_file: {
    message: 'the sealed file cannot be used',
    hint: 'ask an administrator to check the audit log; a new enrolment fixes it',
  },
  no_proof: { message: 'no one-time code was given', hint: 'type the code that your phone shows, or a recovery code' },
  timeout: { message: 'no answer in time', hint: 'log in again and type the code sooner' },
  store_unavailable: {
    message: 'the login state cannot be reached',
    hint: 'try again; if it fails again, ask an administrator to check the audit log',
  },
  audit_unavailable: {
    message: 'the decision could not be recorded',
    hint: 'nobody gets in without a record; ask an administrator to check for a full disk',
  },
  not_permitted: { message: 'not permitted', hint: 'ask an administrator' },
  bad_configuration: { message: 'the configuration cannot be used', hint: 'ask an administrator to check /etc/notp/notp.toml' },
};

const THREE_CODES: Wording = {
  message: 'too many failed tries: three consecutive codes are needed',
  hint: 'type three codes in a row, with blanks between (123456 654321 246802), or a recovery code (three, of 8 digits)',
};

/** The wording of a refusal. `codesNeeded`: how many consecutive codes are needed, where it is more than one. */
export function wordingOf({ reason, codesNeeded }: { readonly reason: Reason; readonly codesNeeded?: number }): Wording {
  return reason === 'step_up_required' && codesNeeded === 3 ? THREE_CODES : WORDING[reason];
}
