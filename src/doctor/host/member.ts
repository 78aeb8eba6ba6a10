/** Checks of a host with a certificate of a fleet, a member or a judge: its service can read certificate and key, and how long it lasts. */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { messageOf } from '../../error.ts';
import { identityOf } from '../../system/certificates.ts';
import { isMember, type Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import type { Finding } from '../finding.ts';

const DAY_MS = 86_400_000;
/** Before its end somebody must have made the next one. */
const SOON_DAYS = 14;

/** None where this host is no member and has no certificate of a judge. The caller is root. */
export async function examineMember(config: Config, service: User, nowMs: number): Promise<Finding[]> {
  const id = 'member';
  const { servers, certificate } = config.judges;
  const isOfMember = isMember(config);
  if (!isOfMember && !existsSync(certificate)) return [];
  const [who, harm] = isOfMember ? ['member', 'every login is refused'] : ['judge', 'the members refuse every login'];
  const renew = 'notp fleet host-cert on the host of the authority makes a new one';
  try {
    const { cert } = await asUser(service, () => identityOf(config.judges));
    const days = Math.floor((Date.parse(new X509Certificate(cert).validTo) - nowMs) / DAY_MS);
    if (days < 0)
      return [
        {
          id,
          severity: 'fail',
          title: `The certificate of this ${who} is over, so ${harm}`,
          detail: certificate,
          fix: renew,
        },
      ];
    const lasting = `${certificate} lasts ${String(days)} days`;
    const detail = isOfMember ? `${servers.map(({ host }) => host).join(', ')}; ${lasting}` : lasting;
    if (days < SOON_DAYS) return [{ id, severity: 'warn', title: `The certificate of this ${who} ends soon`, detail, fix: renew }];
    if (!isOfMember)
      return [{ id, severity: 'info', title: 'This host can judge for the members of a fleet', detail, fix: 'notp fleet lists them' }];
    const title = 'This host is a member of a fleet, whose judges decide and know who is enrolled';
    return [{ id, severity: 'info', title, detail, fix: 'notp doctor on a judge checks the enrolments' }];
  } catch (error) {
    const title = `The service of this ${who} cannot use its certificate, so ${harm}`;
    return [
      { id, severity: 'fail', title, detail: messageOf(error), fix: 'notp fleet host-cert, and install the files as notp-serve(8) says' },
    ];
  }
}
