/** Makes certificates, with openssl(1): Node.js reads them and cannot write them. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, NotpError } from '../error.ts';

const OPENSSL = '/usr/bin/openssl';
const TIMEOUT_MS = 60_000;

/** A certificate and its new key, as files. */
export interface Wanted {
  readonly certificate: string;
  readonly key: string;
  readonly name: string;
  readonly days: number;
  /** See x509v3_config(5). */
  readonly extensions: readonly string[];
  /** The files of the authority that signs; undefined: it signs itself. */
  readonly authority?: { readonly certificate: string; readonly key: string };
}

/** Writes both files; the key is for its owner alone. Throws `failed`. */
export function makeCertificate({ certificate, key, name, days, extensions, authority }: Wanted): void {
  const by = authority === undefined ? [] : ['-CA', authority.certificate, '-CAkey', authority.key];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', key, '-out', certificate];
  const what = ['-days', String(days), '-subj', `/CN=${name}`, ...extensions.flatMap((each) => ['-addext', each])];
  // Not the configuration of the host, which may add extensions of its own.
  const words = ['req', '-config', '/dev/null', '-x509', '-new', ...made, ...by, ...what];
  const { status, stderr, error } = spawnSync(OPENSSL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  if (status === 0) {
    refuseCut(certificate);
    return;
  }
  const why = error === undefined ? saidIn(stderr) : messageOf(error);
  throw new NotpError('failed', `${OPENSSL} made no certificate: ${why}`, 'it takes OpenSSL 3 (the package openssl)');
}

/** Its own words on what is wrong: the last line that no name of a function of the library is in. */
function saidIn(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !/:error:[0-9A-F]+:/.test(line));
  return lines.at(-1) ?? 'it does not say why';
}

/** On a full disk openssl writes a part, and says that all is well. */
function refuseCut(certificate: string): void {
  if (isWhole(readFileSync(certificate))) return;
  throw new NotpError('failed', `${certificate} was not written whole`, 'free some space, delete what was made, and run the command again');
}

function isWhole(certificate: Uint8Array): boolean {
  try {
    return new X509Certificate(certificate).raw.length > 0;
  } catch {
    return false;
  }
}
