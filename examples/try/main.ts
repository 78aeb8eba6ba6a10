/**
 * `npm run try`: the main job on your own machine, with nothing of it changed. A private sshd on a free port lets
 * in a throw-away key, its ForceCommand asks for a code of a throw-away secret, and all of it is gone afterwards.
 * With `--auto` nobody is asked: one login with a wrong code must be refused, one with the right code let in.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import * as path from 'node:path';
import { codeAt, fromBase32, stepAt } from '../../src/otp/code.ts';
import { startPrivateSshd, type PrivateSshd } from './private-sshd.ts';

const NOTP = path.resolve(import.meta.dirname, '../../bin/notp');
const PASSPHRASE = 'open sesame';
const PARAMETERS = { algorithm: 'SHA1', digits: 6, periodSeconds: 30 } as const;
const CODES_SHOWN = 6;
const MARKER = 'You are in.';

process.exitCode = 1;
const folder = mkdtempSync(path.join(tmpdir(), 'notp-try-'));
let sshd: PrivateSshd | undefined;
try {
  const config = writeConfig();
  const secret = enroll(config);
  sshd = await startSshd(config);
  process.exitCode = process.argv.includes('--auto') ? tryAlone(sshd, config, secret) : tryTogether(sshd, config, secret);
} finally {
  await sshd?.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Everything of notp in one folder: each user's own state, no journal. */
function writeConfig(): string {
  const file = path.join(folder, 'notp.toml');
  const lines = [
    `secrets = "${folder}/secrets"`,
    '[gate]',
    `authorized_keys = [${JSON.stringify(authorizedKeys())}]`,
    '[store]',
    'url = "user"',
    '[audit]',
    'journal = false',
    '',
  ];
  writeFileSync(file, lines.join('\n'), { mode: 0o644 });
  writeFileSync(path.join(folder, 'passphrase'), `${PASSPHRASE}\n`);
  return file;
}

/** Where the key of the login stands, for sshd and for the gate. */
function authorizedKeys(): string {
  return path.join(folder, 'authorized_keys');
}

/** Enrols a throw-away secret (base32), with the QR code on the screen. */
function enroll(config: string): string {
  say('A throw-away secret. Scan it with the app on your phone, if you like:\n');
  const words = ['enroll', '--config', config, '--seal', 'passphrase', '--passphrase-file', path.join(folder, 'passphrase')];
  const { status, stdout } = spawnSync(NOTP, [...words, '--no-confirm', '--json', '--qr', 'unicode', '--issuer', 'notp try'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error('notp enroll failed');
  return (JSON.parse(stdout) as { secret: string }).secret;
}

async function startSshd(config: string): Promise<PrivateSshd> {
  const home = path.join(folder, 'sshd');
  mkdirSync(home);
  const authorized = authorizedKeys();
  const started = await startPrivateSshd({
    folder: home,
    lines: [
      `ForceCommand "${NOTP}" gate --config "${config}"`,
      // The folder is in /tmp, which sshd would otherwise not trust; nobody but you can write in it.
      ...[`AuthorizedKeysFile ${authorized}`, 'StrictModes no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no'],
      ...['AcceptEnv LANG LC_*', 'DisableForwarding yes', 'ExposeAuthInfo yes', 'UsePAM no'],
    ],
  });
  copyFileSync(`${started.key}.pub`, authorized);
  chmodSync(authorized, 0o600);
  return started;
}

function tryTogether(server: PrivateSshd, config: string, secret: string): number {
  say(`\nPassphrase: ${PASSPHRASE}\nCodes, for those without a phone at hand:\n`);
  const now = Date.now();
  for (let i = 0; i < CODES_SHOWN; i++) {
    const atMs = now + i * PARAMETERS.periodSeconds * 1000;
    const from = new Date(stepAt(atMs, PARAMETERS.periodSeconds) * PARAMETERS.periodSeconds * 1000);
    say(`  from ${from.toTimeString().slice(0, 8)}: ${codeOf(secret, atMs)}\n`);
  }
  say('\nNow a real login, by a key and a code. Leave the shell with exit.\n\n');
  const { status } = ssh(server, ['-t'], [], { stdio: 'inherit' });
  say('\nThe audit log of it:\n');
  showAudit(config);
  return status === 255 || status === null ? 1 : 0;
}

function tryAlone(server: PrivateSshd, config: string, secret: string): number {
  const right = codeOf(secret, Date.now());
  const wrong = String((Number(right) + 123_456) % 1_000_000).padStart(PARAMETERS.digits, '0');
  say('\nA login with a wrong code:\n');
  const refused = loginWith(server, wrong);
  say('\nA login with the right code:\n');
  const accepted = loginWith(server, right);
  say('\nThe audit log of both:\n');
  const events = showAudit(config);
  const fine =
    refused.status === 1 &&
    refused.stdout === '' &&
    accepted.status === 0 &&
    accepted.stdout === `${MARKER}\n` &&
    events.includes('login.refused') &&
    events.at(-1) === 'login.accepted';
  say(fine ? '\nRefused and accepted, as it must be.\n' : `\nThis is not as it must be. The log of sshd:\n${server.log()}`);
  return fine ? 0 : 1;
}

function loginWith(server: PrivateSshd, code: string): SpawnSyncReturns<string> {
  say(`$ LC_NOTP='${PASSPHRASE} ${code}' ssh -o SendEnv=LC_NOTP ${userInfo().username}@127.0.0.1 echo ${MARKER}\n`);
  const env = { ...process.env, LC_NOTP: `${PASSPHRASE} ${code}` };
  const ran = ssh(server, ['-o', 'SendEnv=LC_NOTP'], [`echo ${MARKER}`], { env, encoding: 'utf8' });
  say(`${ran.stdout}${ran.stderr}-> exit ${String(ran.status)}\n`);
  return ran;
}

function ssh(server: PrivateSshd, options: string[], words: string[], how: Parameters<typeof spawnSync>[2]): SpawnSyncReturns<string> {
  const host = `${userInfo().username}@127.0.0.1`;
  return spawnSync('ssh', [...server.clientOptions, ...options, host, ...words], how) as SpawnSyncReturns<string>;
}

/** Shows the audit log, and gives its events. */
function showAudit(config: string): string[] {
  const { stdout } = spawnSync(NOTP, ['audit', '--config', config], { encoding: 'utf8' });
  say(stdout);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { event: string }).event);
}

function codeOf(secret: string, atMs: number): string {
  return codeAt(fromBase32(secret), stepAt(atMs, PARAMETERS.periodSeconds), PARAMETERS);
}

function say(text: string): void {
  process.stdout.write(text);
}
