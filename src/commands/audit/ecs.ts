/** A record in the Elastic Common Schema (ECS 8.11): an authentication event, or one of identity and access management. Pure. */
import { isIP } from 'node:net';
import { fieldsBut, type Entry } from '../../audit/entry.ts';
import { eventText } from './words.ts';

const VERSION = '8.11.0';

/** The types of ECS for changes, by event; the others are changes of a user. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  enroll: ['user', 'creation'],
  import: ['user', 'creation'],
  invite: ['user', 'creation'],
  revoke: ['user', 'deletion'],
  export: ['user', 'info'],
  'recovery.used': ['user', 'info'],
  'outage.conflict': ['user', 'info'],
  'host_key.created': ['admin', 'creation'],
  'host_key.rotated': ['admin', 'change'],
  'host_key.retired': ['admin', 'deletion'],
  'audit.resumed': ['admin', 'change'],
  'doctor.changed': ['admin', 'info'],
};

/** The fields of a record that have a place of their own in ecsOf(). */
const MAPPED = ['time', 'event', 'result', 'user', 'uid', 'service', 'rhost', 'reason', 'host'];

/** Fields of ECS have its names; all others of the record are below `notp`, as they are. */
export function ecsOf(entry: Entry): object {
  const { timeMs, event, result, user, uid, service, rhost, reason, host, count } = entry;
  const isLogin = event.startsWith('login.');
  const address = rhost === undefined || rhost === '' ? undefined : rhost;
  const ip = address !== undefined && isIP(address) !== 0 ? address : undefined;
  return {
    '@timestamp': new Date(timeMs).toISOString(),
    message: [user, eventText(entry)].filter((each) => each !== '').join(': '),
    ecs: { version: VERSION },
    event: {
      kind: 'event',
      category: [isLogin ? 'authentication' : 'iam'],
      type: isLogin ? ['start'] : (TYPES[event] ?? ['user', 'change']),
      action: event,
      outcome: isSuccess(result) ? 'success' : 'failure',
      ...(reason === undefined ? {} : { reason }),
      module: 'notp',
      dataset: 'notp.audit',
    },
    ...(user === '' ? {} : { user: { name: user, ...(uid === undefined ? {} : { id: String(uid) }) } }),
    ...(address === undefined ? {} : { source: { address, ...(ip === undefined ? {} : { ip }) } }),
    ...(host === undefined ? {} : { host: { name: host, hostname: host } }),
    ...(service === undefined ? {} : { service: { name: service } }),
    related: {
      ...(user === '' ? {} : { user: [user] }),
      ...(ip === undefined ? {} : { ip: [ip] }),
      ...(host === undefined ? {} : { hosts: [host] }),
    },
    notp: { ...fieldsBut(entry, MAPPED), count },
  };
}

/** Whether a result is not a refusal or a failure. */
export function isSuccess(result: string): boolean {
  return result === 'accepted' || result === 'done';
}
