/** The port where the members of a fleet ask: TLS 1.3, with a certificate on both sides. */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import { messageOf } from '../error.ts';
import { identityOf } from '../system/certificates.ts';
import type { Config } from '../system/config.ts';
import { uptimeMs } from '../store/clock.ts';
import { certificateOf, MEMBERS_HINT, type Certificate, type Members } from './members.ts';
import { sayFault } from './serve-health.ts';
import { networkOf, presentOf } from './turns.ts';

/** How long a handshake may take. */
const HANDSHAKE_MS = 3_000;
/** All connections of one member: its judge, and the services of its users. */
const MAX_OF_MEMBER = 256;
/** Handshakes from one network that have not ended. So a stranger leaves room for the members. */
const MAX_HANDSHAKES = 256;
/** How old the certificate that this host shows may be: a renewed one counts after this. */
const RENEWED_MS = 60_000;

/** The server, which calls `take` with each connection of a welcome member. Throws where this host has no certificate. */
export function fleetPort(
  configuration: () => Config,
  members: Members,
  take: (socket: tls.TLSSocket, member: Certificate) => void,
): tls.Server {
  const identity = (): tls.SecureContextOptions => identityOf(configuration().judges);
  // A member that asks again would not be asked for its certificate: so there are no sessions to resume.
  const always = { minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET } as const;
  const server = tls.createServer({
    ...{ ...always, ...identity(), requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_MS, noDelay: true },
  });
  let readMs = uptimeMs();
  const shaking = handshakes();
  server.on('connection', (socket: Socket) => {
    if (!shaking.begin(socket)) {
      socket.destroy();
      return;
    }
    if (uptimeMs() < readMs + RENEWED_MS) return;
    readMs = uptimeMs();
    try {
      server.setSecureContext({ ...always, ...identity() });
    } catch (error) {
      sayFault(messageOf(error), 'the certificate that was read before still serves');
    }
  });
  // A handshake that failed: a stranger, or a certificate that is over.
  server.on('tlsClientError', () => undefined);
  const open = new Map<string, number>();
  const welcome = async (socket: tls.TLSSocket): Promise<void> => {
    const member = certificateOf(socket);
    const count = open.get(member?.host ?? '') ?? 0;
    if (member === undefined || count >= MAX_OF_MEMBER) {
      socket.destroy();
      return;
    }
    open.set(member.host, count + 1);
    socket.on('close', () => {
      open.set(member.host, (open.get(member.host) ?? 1) - 1);
    });
    // Where this host cannot tell, it takes the connection to say that it cannot decide: before each question it looks again.
    const wrong = await members.whyNot(member).catch(() => undefined);
    if (socket.destroyed) return;
    if (wrong === undefined) {
      take(socket, member);
      await members.note(member);
      return;
    }
    sayFault(`${member.host} asks, and is not answered: ${wrong}`, MEMBERS_HINT);
    socket.destroy();
  };
  server.on('secureConnection', (socket) => {
    shaking.end(socket);
    socket.on('error', () => undefined);
    void welcome(socket);
  });
  return server;
}

/** Counts the handshakes that have not ended, by network. */
function handshakes(): { begin: (socket: Socket) => boolean; end: (socket: Socket) => void } {
  const byNetwork = new Map<string, Set<string>>();
  const endOf = (peer: string, network: string): void => {
    const peers = byNetwork.get(network);
    peers?.delete(peer);
    if (peers?.size === 0) byNetwork.delete(network);
  };
  return {
    begin: (socket) => {
      // A closed socket does not know them any more.
      const [peer, network] = [peerOf(socket), networkOf(socket.remoteAddress ?? '')];
      const peers = presentOf(byNetwork, network, () => new Set<string>());
      if (peers.size >= MAX_HANDSHAKES) return false;
      peers.add(peer);
      socket.once('close', () => {
        endOf(peer, network);
      });
      return true;
    },
    end: (socket) => {
      endOf(peerOf(socket), networkOf(socket.remoteAddress ?? ''));
    },
  };
}

function peerOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${String(remotePort)}`;
}
