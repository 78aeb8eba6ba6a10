/** `notp fleet init` and `notp fleet host-cert`: a small authority for the certificates of a fleet, in a folder. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { errnoOf, messageOf, NotpError } from '../../error.ts';
import { quoted, shellCommand } from '../../otp/escape.ts';
import { makeCertificate } from '../../system/openssl.ts';
import { sayHint, sayLine } from '../../terminal/printer.ts';
import { common, wholeNumber, type Finish } from '../options.ts';

const AUTHORITY_DAYS = 3650;
const HOST_DAYS = 90;
const MAX_HOST_DAYS = 825;

interface Files {
  readonly certificate: string;
  readonly key: string;
}

function filesOf(folder: string, name: string): Files {
  return { certificate: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) };
}

/** Throws `refused` where the folder exists, `failed` where it cannot be made. */
function initAuthority(folder: string): number {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw new NotpError('failed', messageOf(error));
    throw new NotpError('refused', `${quoted(folder)} exists, and may have an authority`, 'name a new folder');
  }
  const files = filesOf(folder, 'ca');
  const extensions = ['basicConstraints = critical, CA:TRUE, pathlen:0', 'keyUsage = critical, keyCertSign', 'subjectKeyIdentifier = hash'];
  makeCertificate({ ...files, name: 'notp fleet', days: AUTHORITY_DAYS, extensions });
  sayLine(`Made: ${files.certificate}, until ${endOf(files)}, and its key`);
  sayHint(shellCommand`keep the folder for root, or off all hosts; the next step is notp fleet host-cert ${folder} HOST`);
  return 0;
}

/** The clock that openssl reads may be a tick behind. */
const TICK_MS = 50;

/**
 * Waits for the next second. A certificate begins with a whole second: one that is made right after a revocation would otherwise begin
 * before it, as those do that the revocation ends.
 */
async function nextSecond(): Promise<void> {
  const untilMs = (Math.floor(Date.now() / 1000) + 1) * 1000 + TICK_MS;
  await new Promise((resolve) => setTimeout(resolve, untilMs - Date.now()));
}

interface HostFlags {
  readonly judge?: boolean;
  readonly days?: number;
}

/** Makes or renews the certificate of `host`. Throws `refused` without an authority, and `failed`. */
async function hostCertificate(folder: string, host: string, { judge = false, days = HOST_DAYS }: HostFlags): Promise<number> {
  const authority = filesOf(folder, 'ca');
  if (!fs.existsSync(authority.key))
    throw new NotpError('refused', `there is no authority in ${quoted(folder)}`, shellCommand`notp fleet init ${folder} makes one`);
  const files = filesOf(folder, host);
  await nextSecond();
  makeCertificate({
    ...{ ...files, authority, name: host, days },
    extensions: [
      ...['basicConstraints = critical, CA:FALSE', 'keyUsage = critical, digitalSignature'],
      // A member must not be able to pose as a judge.
      `extendedKeyUsage = clientAuth${judge ? ', serverAuth' : ''}`,
      ...[`subjectAltName = DNS:${host}`, 'authorityKeyIdentifier = keyid'],
    ],
  });
  sayLine(`Made: ${files.certificate}, until ${endOf(files)}, and ${files.key}`);
  sayHint(`on ${host} they are ${INSTALLED}: see notp-serve(8)`);
  return 0;
}

const INSTALLED = '/etc/notp/tls.crt and /etc/notp/tls.key (of the group notp, mode 0640), beside ca.crt as /etc/notp/tls-ca.crt';

function endOf({ certificate }: Files): string {
  return new Date(new X509Certificate(fs.readFileSync(certificate)).validTo).toISOString().slice(0, 10);
}

/** The name as certificates have it. `ca` has its files in the same folder. */
export function hostGiven(given: string): string {
  const host = given.toLowerCase();
  if (/^[a-z0-9]([\w.-]{0,62}[a-z0-9])?$/.test(host) && host !== 'ca') return host;
  throw new InvalidArgumentError('It must be the name of a host.');
}

/** Adds `fleet init` and `fleet host-cert`. */
export function addCertificates(fleet: Command, finish: Finish): void {
  common(fleet.command('init'))
    .description('make an authority for the certificates of a fleet, in a new folder')
    .argument('<dir>', 'where it is kept')
    .action((folder: string) => {
      finish(initAuthority(folder));
    });
  common(fleet.command('host-cert'))
    .description('make or renew the certificate of a host of the fleet, with its key')
    .argument('<dir>', 'where the authority is')
    .argument('<host>', 'the name of the host', hostGiven)
    .option('--judge', 'for a judge, which the members find under this name')
    .option('--days <n>', `how long it lasts (default: ${String(HOST_DAYS)})`, wholeNumber(1, MAX_HOST_DAYS))
    .action(async (folder: string, host: string, flags: HostFlags) => {
      finish(await hostCertificate(folder, host, flags));
    });
}
