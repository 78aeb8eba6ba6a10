/** Asks the installed sshd, whose configuration checkSshd() has accepted, what it does for users on several connections. */
import { isIP } from 'node:net';
import { groupsAsked } from '../doctor/people.ts';
import { askAlike } from '../doctor/sshd/ask-alike.ts';
import { differing, type Seen } from '../doctor/sshd/seen.ts';
import { readSshdFiles, type Criterion } from '../doctor/sshd/files.ts';
import { installedServer } from '../doctor/sshd/servers.ts';
import { ownAddresses, SOMEWHERE } from '../doctor/sshd/sshd.ts';
import { vantages, type Vantage } from '../doctor/sshd/vantage.ts';
import { NotpError } from '../error.ts';
import { clientAddress, serverOf } from '../system/ssh/session.ts';
import { requireTrusted } from './sshd.ts';
import { SSHD_CONFIG } from './sshd-drop-in.ts';

const PORT = 22;

/** The criteria of its Match lines. */
export function matchCriteriaNow(): readonly Criterion[] {
  return readSshdFiles(SSHD_CONFIG).criteria;
}

/** One connection of each kind that the Match lines may treat differently. */
export function allVantages(criteria: readonly Criterion[]): Vantage[] {
  return vantages(criteria, { ports: [PORT], own: ownAddresses() });
}

/**
 * The connections on which the caller must not be locked out: as that of their present SSH session, and one from outside. All kinds where no
 * session is known, as at a console or below sudo.
 */
export function ownVantages(environment: NodeJS.ProcessEnv): Vantage[] {
  const address = clientAddress(environment) ?? '';
  if (isIP(address) === 0 || address.includes('%')) return allVantages(matchCriteriaNow());
  const { address: localAddress = SOMEWHERE.localAddress, port: localPort = PORT } = serverOf(environment) ?? {};
  return [{ address, host: address, localAddress, localPort, routingDomain: '' }, SOMEWHERE];
}

/** The configurations of each of `users` on these connections, in order; empty where there is no sshd. Throws `refused` if it does not answer, or users other than root can change it. */
export async function askSshd(users: readonly string[], from: readonly Vantage[]): Promise<Seen[]> {
  const server = installedServer(SSHD_CONFIG);
  if (server === undefined) return [];
  requireTrusted(server.program);
  const hear = { expect: () => undefined, progress: () => undefined };
  const files = readSshdFiles(SSHD_CONFIG);
  const pairs = { names: users, from, groups: groupsAsked(users, files.criteria) };
  const answers = await askAlike(server, { version: undefined, keyOptions: [] }, pairs, files, hear);
  if ('refused' in answers) throw new NotpError('refused', `sshd does not print its configuration: ${answers.refused}`);
  return answers.seen.map(differing);
}
