/**
 * A record in the Open Cybersecurity Schema Framework (OCSF 1.5): Authentication (class 3002) for logins, Account Change (3001) for all else.
 * Pure.
 */
import { isIP } from 'node:net';
import { isAtSshd } from '../../audit/record.ts';
import { fieldsBut, type Entry } from '../../audit/entry.ts';
import { isSuccess } from './ecs.ts';
import { eventText } from './words.ts';

const VERSION = '1.5.0';
const IDENTITY = 3;
const AUTHENTICATION = 3002;
const ACCOUNT_CHANGE = 3001;

interface Activity {
  readonly id: number;
  readonly name: string;
}
const LOGON: Activity = { id: 1, name: 'Logon' };
const OTHER_ID = 99;

/** The activities of Account Change, by event. Other events are other activities, with their own names. */
const ACTIVITIES: Readonly<Record<string, Activity>> = {
  enroll: { id: 10, name: 'MFA Factor Enable' },
  replace: { id: 10, name: 'MFA Factor Enable' },
  import: { id: 10, name: 'MFA Factor Enable' },
  revoke: { id: 11, name: 'MFA Factor Disable' },
  unlock: { id: 12, name: 'Unlock' },
  passphrase: { id: 3, name: 'Password Change' },
};

const SEVERITY = { informational: 1, low: 2, high: 4 } as const;
/** What somebody should look at whoever they are. */
const GRAVE: readonly string[] = ['outage.conflict', 'audit.resumed'];

/** auth_factors of OCSF: the code is an OTP. */
const FACTORS: Readonly<Record<string, object>> = {
  totp: { factor_type_id: 7, factor_type: 'OTP', is_totp: true },
  hotp: { factor_type_id: 7, factor_type: 'OTP', is_hotp: true },
  step_up: { factor_type_id: 7, factor_type: 'OTP' },
  recovery: { factor_type_id: OTHER_ID, factor_type: 'Recovery code' },
};

/** The fields of a record that have an attribute in ocsfOf(), and those that only logins have there. */
const MAPPED = ['time', 'event', 'result', 'user', 'uid', 'rhost', 'reason', 'detail', 'count'];
const MAPPED_AT_LOGINS = [...MAPPED, 'service', 'host'];

/** All other fields of the record are `unmapped`, as they are. */
export function ocsfOf(entry: Entry): object {
  const { timeMs, event, result, user, uid, door, ref, service, rhost, tty, reason, method, detail, host, count } = entry;
  const isLogin = event.startsWith('login.');
  const activity = isLogin ? LOGON : (ACTIVITIES[event] ?? { id: OTHER_ID, name: event });
  const classId = isLogin ? AUTHENTICATION : ACCOUNT_CHANGE;
  const isGood = isSuccess(result);
  return {
    time: timeMs,
    metadata: {
      version: VERSION,
      product: { name: 'notp', vendor_name: 'notp' },
      log_name: 'audit',
      event_code: event,
      correlation_uid: ref,
    },
    category_uid: IDENTITY,
    category_name: 'Identity & Access Management',
    class_uid: classId,
    class_name: isLogin ? 'Authentication' : 'Account Change',
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: classId * 100 + activity.id,
    severity_id: GRAVE.includes(event) ? SEVERITY.high : isGood ? SEVERITY.informational : SEVERITY.low,
    status_id: isGood ? 1 : 2,
    status: isGood ? 'Success' : 'Failure',
    ...(reason === undefined ? {} : { status_code: reason }),
    ...(detail === undefined ? {} : { status_detail: detail }),
    message: [user, eventText(entry)].filter((each) => each !== '').join(': '),
    count,
    // Several names that no account has are one record without a name.
    user: { name: user === '' ? 'unknown' : user, ...(uid === undefined ? {} : { uid: String(uid) }) },
    ...(rhost === undefined || rhost === '' ? {} : { src_endpoint: isIP(rhost) === 0 ? { hostname: rhost } : { ip: rhost } }),
    ...(isLogin
      ? {
          service: { name: service ?? door },
          dst_endpoint: { hostname: host ?? 'unknown' },
          auth_protocol_id: OTHER_ID,
          auth_protocol: 'notp',
          is_remote: isAtSshd({ door, tty, service }),
          is_mfa: method !== undefined && method in FACTORS,
          ...(method !== undefined && method in FACTORS ? { auth_factors: [FACTORS[method]] } : {}),
        }
      : {}),
    unmapped: fieldsBut(entry, isLogin ? MAPPED_AT_LOGINS : MAPPED),
  };
}
