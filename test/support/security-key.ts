/**
 * A security key (FIDO) made of software, behind a key agent of its own: to sshd it looks like a device, touched or not. See PROTOCOL.u2f of
 * OpenSSH and draft-ietf-sshm-ssh-agent.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';

export interface SecurityKey {
  /** As a line of authorized_keys has it. */
  readonly line: string;
  /** The socket of its agent, for IdentityAgent of ssh. */
  readonly agent: string;
  /** Whether it says of its next signatures that somebody has touched it. */
  touched: boolean;
}

const TYPE = 'sk-ssh-ed25519@openssh.com';
const APPLICATION = 'ssh:';
const [FAILURE, LIST, LISTED, SIGN, SIGNED] = [5, 11, 12, 13, 14] as const;
const TOUCHED = 1;

/** Ends with the test file. */
export async function securityKey(folder: string): Promise<SecurityKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([TYPE, raw, APPLICATION].map(string));
  const key: SecurityKey = { line: `${TYPE} ${blob.toString('base64')}`, agent: path.join(folder, 'security-key'), touched: true };
  const signature = (data: Buffer): Buffer => {
    const counted = Buffer.concat([Buffer.of(key.touched ? TOUCHED : 0), number(1)]);
    const signed = sign(null, Buffer.concat([sha256(APPLICATION), counted, sha256(data)]), privateKey);
    return Buffer.concat([string(TYPE), string(signed), counted]);
  };
  const answer = (request: Buffer): Buffer => {
    if (request[0] === LIST) return Buffer.concat([Buffer.of(LISTED), number(1), string(blob), string('')]);
    const asked = stringAt(request, 1);
    if (request[0] !== SIGN || !asked.equals(blob)) return Buffer.of(FAILURE);
    return Buffer.concat([Buffer.of(SIGNED), string(signature(stringAt(request, 1 + 4 + asked.length)))]);
  };
  const server = createServer((socket) => {
    answerEach(socket, answer);
  });
  await new Promise<void>((resolve) => server.listen(key.agent, resolve));
  atEnd(() => void server.close());
  return key;
}

function answerEach(socket: Socket, answer: (request: Buffer) => Buffer): void {
  let got = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (more) => {
    got = Buffer.concat([got, Buffer.from(more)]);
    while (got.length >= 4 && got.length >= 4 + got.readUInt32BE(0)) {
      const request = stringAt(got, 0);
      socket.write(string(answer(request)));
      got = got.subarray(4 + request.length);
    }
  });
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** As RFC 4251 has it. */
function string(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([number(bytes.length), bytes]);
}

function stringAt(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
}
