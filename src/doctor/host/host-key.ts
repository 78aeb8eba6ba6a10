/** Checks of the host key: only the service can read it, or it is encrypted and only systemd can open it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf, NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import type { User } from '../../system/users.ts';
import { hostSealed, type HostSealed } from '../../enrolment/host-sealed.ts';
import { hasEncryptedKey, readHostKey } from '../../state/host-keys.ts';
import type { StatePlace } from '../../state/place.ts';
import { isInUse } from '../../state/state.ts';
import { asUser } from '../../system/privileges.ts';
import { ok, type Finding } from '../finding.ts';
import { permissionFix, whyUntrusted } from './trust.ts';

const ROOT = { name: 'root', uid: 0 };
/** No more enrolments than this are listed. */
const NAMED = 10;

/** Never throws: an error becomes the finding. `isLost`: as isKeyLost() says. */
export function examineHostKeys(config: Config, service: User, isLost: boolean): Finding[] {
  const [, ...others] = config.hostKeys;
  return [examineHostKey(config, service) ?? noKey(config, isLost), ...others.flatMap((file) => missingFile(file))];
}

/** Logins go on without it, but not those of the enrolments that it sealed. */
function missingFile(file: string): Finding[] {
  if (fs.existsSync(file) || fs.existsSync(`${file}.cred`)) return [];
  const fix = 'bring the file here, or take it out of host_key';
  return [{ id: 'host-key', severity: 'fail', title: 'A file that host_key names does not exist', detail: file, fix }];
}

/** Undefined where there is no key. */
function examineHostKey(config: Config, service: User): Finding | undefined {
  const id = 'host-key';
  if (hasEncryptedKey(config)) return encryptedKey(`${config.hostKey}.cred`);
  const title = 'The host key has the wrong owner, mode or content';
  try {
    if (readHostKey(config.hostKey, service) !== undefined) {
      const folder = whyUntrusted(path.dirname(config.hostKey));
      if (folder === undefined && fs.existsSync(`${config.hostKey}.cred`)) return bothKeys(config);
      if (folder === undefined) return ok(id, 'The host key exists, and only the service can read it', config.hostKey);
      return {
        id,
        severity: 'fail',
        title,
        detail: folder,
        fix: permissionFix(path.dirname(config.hostKey), ROOT, { mode: '755' }),
      };
    }
    return undefined;
  } catch (error) {
    return {
      id,
      severity: 'fail',
      title,
      detail: messageOf(error),
      fix: (error instanceof NotpError ? error.hint : undefined) ?? permissionFix(config.hostKey, service, { mode: '400' }),
    };
  }
}

/** Whether there is no key although the state in `place` is signed with one. A state that cannot be read may be. */
export async function isKeyLost(config: Config, place: StatePlace, now: () => number): Promise<boolean> {
  if (hasEncryptedKey(config) || fs.existsSync(config.hostKey)) return false;
  try {
    return await asUser(place.owner, () => isInUse(place, now));
  } catch {
    return true;
  }
}

/** A new key beside a state of the lost one refuses all its logins, and its log cannot go on. */
function noKey({ hostKey }: Config, isLost: boolean): Finding {
  const finding = { id: 'host-key', severity: 'fail', detail: hostKey } as const;
  if (!isLost) return { ...finding, title: 'There is no host key', fix: 'notp host-key init' };
  return {
    ...finding,
    title: 'The host key is lost: the enrolments and the audit chain of this host need it',
    fix:
      'bring it back from its copy first: then all log in again. Only where there is no copy: notp host-key init, then notp audit verify --resume ' +
      'and notp-enroll --replace for each user, since what the lost key sealed cannot be opened',
  };
}

/**
 * Reports earlier host keys that are still kept and the enrolments that need them, and enrolments that need a key that is not here. A
 * broken key is reported by examineHostKeys().
 */
export async function examineOtherKeys(config: Config, service: User, now: () => number): Promise<Finding[]> {
  try {
    const sealed = await hostSealed(config, now);
    const hasFormer = (readHostKey(config.hostKey, service)?.former ?? []).length > 0;
    const missing = sealed.filter(({ key }) => key === 'missing');
    return [...(missing.length > 0 ? [missingKey(missing)] : hasFormer ? [formerKeys(sealed)] : [])];
  } catch {
    return [];
  }
}

/** Nothing that changes keys is advised before the missing one is back. */
function missingKey(missing: readonly HostSealed[]): Finding {
  return {
    id: 'host-key-missing',
    severity: 'fail',
    title: 'Enrolments are sealed by a host key that is not here',
    detail: namesOf(missing),
    fix: 'bring that key back, in its file or in another one of host_key: then they log in again. Only where it is lost, notp-enroll --replace',
  };
}

function formerKeys(sealed: readonly HostSealed[]): Finding {
  const left = sealed.filter(({ key }) => key !== 'present');
  return {
    id: 'host-key-former',
    severity: 'info',
    title: left.length === 0 ? 'Earlier host keys are kept but no longer needed' : 'Earlier host keys are kept and still needed',
    detail: namesOf(left),
    fix: left.length === 0 ? 'notp host-key retire' : 'notp reseal --all && notp host-key retire',
  };
}

function namesOf(enrolments: readonly HostSealed[]): string {
  const names = enrolments.slice(0, NAMED).map(({ user, context }) => `${user} ${context}`);
  return [...names, ...(enrolments.length > NAMED ? [`and ${String(enrolments.length - NAMED)} more`] : [])].join(', ');
}

function bothKeys({ hostKey }: Config): Finding {
  return {
    id: 'host-key',
    severity: 'warn',
    title: 'The host key is on the disk both as it is and encrypted',
    detail: `${hostKey} and ${hostKey}.cred`,
    fix: shellCommand`if ${hostKey} was changed, encrypt it again; then move it to a safe place off this host (or remove ${`${hostKey}.cred`}, if no drop-in uses it)`,
  };
}

function encryptedKey(file: string): Finding {
  const wrong = whyUntrusted(file);
  if (wrong === undefined) return ok('host-key', 'The host key is stored encrypted for the service', file);
  return {
    id: 'host-key',
    severity: 'fail',
    title: 'The encrypted host key can be changed by users other than root',
    detail: wrong,
    fix: permissionFix(file, ROOT, { mode: '600' }),
  };
}
