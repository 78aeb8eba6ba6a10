/** The certificate of this host in a fleet, its key, and the authority of the fleet: the files by which members and judges know each other. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { NotpError } from '../error.ts';
import type { JudgesSetting } from './config.ts';
import { readTrusted } from './trusted.ts';

/** PEM texts, in the words of node:tls. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const MAX_PEM_BYTES = 256 * 1024;
/** Group and others must not write a certificate; the group of the service may read the key. */
const OTHERS_WRITE = 0o022;
const ALL_BUT_GROUP_READS = 0o037;

/** For the present effective user. Read anew for each connection, so that a renewed certificate counts without a restart. Throws `store_unavailable`. */
export function identityOf({ certificate, key, authority }: JudgesSetting): Identity {
  return { cert: pem(certificate, CERTIFICATE), key: pem(key, KEY), ca: pem(authority, CERTIFICATE) };
}

interface Kind {
  readonly name: string;
  readonly forbidden: number;
  /** Throws in words of a library. */
  readonly parse: (text: string) => unknown;
}

const CERTIFICATE: Kind = { name: 'certificate', forbidden: OTHERS_WRITE, parse: (text) => new X509Certificate(text) };
const KEY: Kind = { name: 'key', forbidden: ALL_BUT_GROUP_READS, parse: createPrivateKey };
const MAKES = 'notp fleet host-cert makes certificates';

function pem(file: string, { name, forbidden, parse }: Kind): string {
  const bytes = readTrusted(file, { owner: process.geteuid?.() ?? -1, maxBytes: MAX_PEM_BYTES, forbidden });
  if (bytes === undefined) throw new NotpError('store_unavailable', `${file}: there is no such file`, MAKES);
  const text = Buffer.from(bytes).toString('latin1');
  try {
    parse(text);
    return text;
  } catch {
    throw new NotpError('store_unavailable', `${file} has no whole ${name} in it`, MAKES);
  }
}
