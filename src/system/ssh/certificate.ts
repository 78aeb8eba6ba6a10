/** Parses an OpenSSH certificate: the key that signed it, and the command that it allows. See PROTOCOL.certkeys of OpenSSH. */

const CERTIFICATE_TYPE = /^(.+)-cert-v01@openssh\.com$/;
/** The number of strings between the type and the serial number: the nonce, then the parts of the public key. */
const STRINGS_BEFORE_SERIAL: readonly (readonly [type: RegExp, strings: number])[] = [
  [/^ssh-ed25519$/, 2],
  [/^ssh-rsa$/, 3],
  [/^ecdsa-sha2-/, 3],
  [/^sk-ssh-ed25519$/, 3],
  [/^sk-ecdsa-sha2-/, 4],
  [/^ssh-dss$/, 5],
];

export interface Certificate {
  /** Type and base64 blob of the key that signed it, as authorized_keys writes them. */
  readonly authority: string;
  readonly forceCommand: string | undefined;
  /** The principals of the certificate: names of users, or the names in AuthorizedPrincipalsFile. */
  readonly principals: readonly string[];
}

/** The certificate of this type and blob (base64), or undefined for a plain key. Throws RangeError where it is malformed. */
export function parseCertificate(type: string, blob: string): Certificate | undefined {
  const plain = CERTIFICATE_TYPE.exec(type)?.[1];
  if (plain === undefined) return undefined;
  const strings = STRINGS_BEFORE_SERIAL.find(([pattern]) => pattern.test(plain))?.[1];
  if (strings === undefined) throw new RangeError(`unknown type of certificate ${type}`);
  const reader = new WireReader(Buffer.from(blob, 'base64'));
  for (let i = 0; i < 1 + strings; i++) reader.string();
  reader.skip(8 + 4); // serial, type
  reader.string(); // key id
  const principals = stringsOf(reader.string());
  reader.skip(8 + 8); // valid from, valid to
  const critical = reader.string();
  reader.string(); // extensions
  reader.string(); // reserved
  const authority = reader.string();
  const authorityType = new WireReader(authority).string().toString('latin1');
  return { authority: `${authorityType} ${authority.toString('base64')}`, forceCommand: forceCommandOf(critical), principals };
}

function stringsOf(bytes: Buffer): string[] {
  const reader = new WireReader(bytes);
  const all: string[] = [];
  while (!reader.atEnd()) all.push(reader.string().toString('utf8'));
  return all;
}

/** The forced command in the critical options: pairs of a name and a string that holds the value, itself a string. */
function forceCommandOf(critical: Buffer): string | undefined {
  const reader = new WireReader(critical);
  while (!reader.atEnd()) {
    const name = reader.string().toString('latin1');
    const value = reader.string();
    if (name === 'force-command') return new WireReader(value).string().toString('utf8');
  }
  return undefined;
}

/** The data types of RFC 4251 section 5. */
class WireReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  string(): Buffer {
    const length = this.bytes.readUInt32BE(this.at);
    this.skip(4);
    const start = this.at;
    this.skip(length);
    return this.bytes.subarray(start, this.at);
  }

  skip(length: number): void {
    if (this.at + length > this.bytes.length) throw new RangeError('the certificate is cut off');
    this.at += length;
  }
}
