/** Checks of a member of a fleet: its service can read certificate and key, and how long the certificate lasts. */
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../../error.ts';
import { identityOf } from '../../system/certificates.ts';
import { isMember, type Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import type { Finding } from '../finding.ts';

const DAY_MS = 86_400_000;
/** Before its end somebody must have made the next one. */
const SOON_DAYS = 14;

/** None where this host is no member. The caller is root. */
export async function examineMember(config: Config, service: User, nowMs: number): Promise<Finding[]> {
  if (!isMember(config)) return [];
  const id = 'member';
  const { servers, certificate } = config.judges;
  const renew = 'notp fleet host-cert on the host of the authority makes a new one';
  try {
    const { cert } = await asUser(service, () => identityOf(config.judges));
    const days = Math.floor((Date.parse(new X509Certificate(cert).validTo) - nowMs) / DAY_MS);
    if (days < 0)
      return [
        {
          id,
          severity: 'fail',
          title: 'The certificate of this member is over, so every login is refused',
          detail: certificate,
          fix: renew,
        },
      ];
    const detail = `${servers.map(({ host }) => host).join(', ')}; ${certificate} lasts ${String(days)} days`;
    if (days < SOON_DAYS) return [{ id, severity: 'warn', title: 'The certificate of this member ends soon', detail, fix: renew }];
    const title = 'This host is a member of a fleet, whose judges decide and know who is enrolled';
    return [{ id, severity: 'info', title, detail, fix: 'notp doctor on a judge checks the enrolments' }];
  } catch (error) {
    const title = 'The service of this member cannot use its certificate, so every login is refused';
    return [
      { id, severity: 'fail', title, detail: messageOf(error), fix: 'notp fleet host-cert, and install the files as notp-serve(8) says' },
    ];
  }
}
