/** The certificate of this host in a fleet, its key, and the authority of the fleet: the files by which members and judges know each other. */
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
  return { cert: pem(certificate, OTHERS_WRITE), key: pem(key, ALL_BUT_GROUP_READS), ca: pem(authority, OTHERS_WRITE) };
}

function pem(file: string, forbidden: number): string {
  const bytes = readTrusted(file, { owner: process.geteuid?.() ?? -1, maxBytes: MAX_PEM_BYTES, forbidden });
  if (bytes !== undefined) return Buffer.from(bytes).toString('latin1');
  throw new NotpError('store_unavailable', `${file}: there is no such file`, 'notp fleet host-cert makes certificates');
}
