/** Trust in the host key: the service alone reads it, or systemd alone opens it. */
import * as path from 'node:path';
import { messageOf, NotpError } from '../../error.ts';
import type { Config } from '../../system/config.ts';
import type { User } from '../../system/users.ts';
import { hostSealed } from '../../enrolment/host-sealed.ts';
import { hasEncryptedKey, readHostKey } from '../../state/host-keys.ts';
import { ok, type Finding } from '../finding.ts';
import { permissionFix, whyUntrusted } from './trust.ts';

const ROOT = { name: 'root', uid: 0 };
/** How many enrolments are named. */
const NAMED = 10;

/** Throws nothing: what is wrong is the finding. */
export function examineHostKey(config: Config, service: User): Finding {
  const id = 'host-key';
  if (hasEncryptedKey(config)) return encryptedKey(`${config.hostKey}.cred`);
  const title = 'The host key is not as it must be';
  try {
    if (readHostKey(config.hostKey, service) !== undefined) {
      const folder = whyUntrusted(path.dirname(config.hostKey));
      if (folder === undefined) return ok(id, 'The host key is there, and the service alone reads it', config.hostKey);
      return {
        id,
        severity: 'fail',
        title,
        detail: folder,
        fix: permissionFix(path.dirname(config.hostKey), ROOT, { mode: '755' }),
      };
    }
    return { id, severity: 'fail', title: 'There is no host key', detail: config.hostKey, fix: 'notp host-key init' };
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

/** The keys before the present one, where some are kept, and whose enrolments need them. What is broken has a finding of its own. */
export async function examineFormerKeys(config: Config, service: User, now: () => number): Promise<Finding[]> {
  try {
    if ((readHostKey(config.hostKey, service)?.former ?? []).length === 0) return [];
    const left = (await hostSealed(config, now)).filter(({ key }) => key !== 'present');
    const names = left.slice(0, NAMED).map(({ user, context }) => `${user} ${context}`);
    const detail = left.length > NAMED ? [...names, `and ${String(left.length - NAMED)} more`] : names;
    return [
      {
        id: 'host-key-former',
        severity: 'info',
        title: left.length === 0 ? 'Earlier host keys are kept, and nobody needs them' : 'Earlier host keys are kept, and still needed',
        detail: detail.join(', '),
        fix: left.length === 0 ? 'notp host-key retire' : 'notp reseal --all && notp host-key retire',
      },
    ];
  } catch {
    return [];
  }
}

function encryptedKey(file: string): Finding {
  const wrong = whyUntrusted(file);
  if (wrong === undefined) return ok('host-key', 'The host key is kept encrypted for the service', file);
  return {
    id: 'host-key',
    severity: 'fail',
    title: 'The encrypted host key can be changed by somebody else than root',
    detail: wrong,
    fix: permissionFix(file, ROOT, { mode: '600' }),
  };
}
