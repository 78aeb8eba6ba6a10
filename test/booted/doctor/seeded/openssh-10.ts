/** Misconfigurations that only a later OpenSSH knows, of a host whose PAM door is for everybody; see trixie.test.ts. */
import { gone, type Seed } from './seed.ts';

/** A service that lets in whoever has shown a first factor. */
const OTHER = "printf '%s\\n' 'auth required pam_permit.so' '@include common-account' '@include common-session' >/etc/pam.d/other";

/** PAMServiceName stands in Match blocks from OpenSSH 9.8 on. */
const otherService = (what: string, match: string, fix: string, letsIn: string): Seed => {
  return gone(`${what} (OpenSSH 10)`, [match, 'PAMServiceName other'], 'P2', fix, { letsIn, script: OTHER });
};

export const OPENSSH_10_SEEDS: readonly Seed[] = [
  otherService('another PAM service for an enrolled user', 'Match User alice', 'remove that PAMServiceName', 'alice'),
  otherService('another PAM service for somebody who is not enrolled', 'Match User carol', 'remove that Match line', 'carol'),
  otherService('another PAM service for a network', 'Match Address 127.0.0.1', 'remove that PAMServiceName', 'alice'),
];
