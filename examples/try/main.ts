/**
 * `npm run try`: the main job on your own machine, with nothing of it changed. A private sshd on a free port lets
 * in a throw-away key, its ForceCommand asks for a code of a throw-away secret, and all of it is gone afterwards. After the first login a tour
 * is offered. With `--auto` nobody is asked: the tour goes by itself, and each step must go as it says.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { startPrivateSshd, type PrivateSshd } from './private-sshd.ts';
import { codeOf, PARAMETERS, say, show, ssh, stepOf, type Sandbox } from './sandbox.ts';
import { tour } from './tour.ts';

const NOTP = path.resolve(import.meta.dirname, '../../bin/notp');
const PASSPHRASE = 'open sesame';
const CODES_SHOWN = 6;
/** The tour uses up codes faster than a phone shows them, and floods itself: it need not wait with these. The defaults are 1 and 5. */
const POLICY = ['window = 4', 'budget = 3'];

process.exitCode = 1;
const folder = mkdtempSync(path.join(tmpdir(), 'notp-try-'));
let sshd: PrivateSshd | undefined;
// Whatever ends this, nothing of it is left.
process.on('exit', () => {
  void sshd?.stop();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
try {
  const config = writeConfig();
  const { secret, recovery } = enroll(config);
  sshd = await startSshd(config);
  const sandbox: Sandbox = { sshd, notp: NOTP, config, passphrase: PASSPHRASE, secret, recovery };
  process.exitCode = process.argv.includes('--auto') ? await tryAlone(sandbox) : await tryTogether(sandbox);
} finally {
  await sshd?.stop();
}

/** Everything of notp in one folder: each user's own state, no journal. */
function writeConfig(): string {
  const file = path.join(folder, 'notp.toml');
  const lines = [
    `secrets = "${folder}/secrets"`,
    ...['[policy]', ...POLICY],
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

/** Enrols a throw-away secret, with the QR code on the screen. */
function enroll(config: string): Pick<Sandbox, 'secret' | 'recovery'> {
  say('A throw-away secret. Scan it with the app on your phone, if you like:\n');
  const words = ['enroll', '--config', config, '--seal', 'passphrase', '--passphrase-file', path.join(folder, 'passphrase')];
  const { status, stdout } = spawnSync(NOTP, [...words, '--no-confirm', '--json', '--qr', 'unicode', '--issuer', 'notp try'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error('notp enroll failed');
  return JSON.parse(stdout) as Pick<Sandbox, 'secret' | 'recovery'>;
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

async function tryTogether(sandbox: Sandbox): Promise<number> {
  say(`\nPassphrase: ${PASSPHRASE}\nCodes, for those without a phone at hand:\n`);
  const now = stepOf(Date.now());
  for (let step = now; step < now + CODES_SHOWN; step++) {
    const from = new Date(step * PARAMETERS.periodSeconds * 1000);
    say(`  from ${from.toTimeString().slice(0, 8)}: ${codeOf(sandbox, step)}\n`);
  }
  say('\nNow a real login, by a key and a code. Leave the shell with exit.\n\n');
  const { status } = ssh(sandbox, ['-t'], [], { stdio: 'inherit' });
  say('\nThe audit log of it:\n');
  show(sandbox, 'audit');
  if (process.stdin.isTTY) {
    say('\nThere is a tour: a wrong code, a used one, a flood of guesses, a lost phone, the log, doctor.\n');
    await tour(sandbox, nextKey);
    say('\nAll of it is gone now. To set it up: README.md, "From the package to the first login".\n');
  }
  return status === 255 || status === null ? 1 : 0;
}

async function tryAlone(sandbox: Sandbox): Promise<number> {
  const went = await tour(sandbox);
  say(went ? '\nAll of it went as it must.\n' : `\nThis is not as it must be. The log of sshd:\n${sandbox.sshd.log()}`);
  return went ? 0 : 1;
}

/** Waits for one key on the terminal. Ctrl-C and the end of the input are a `q`. */
async function nextKey(): Promise<string> {
  const { stdin } = process;
  stdin.setRawMode(true);
  stdin.resume();
  const key = await new Promise<string>((resolve) => {
    stdin.once('data', (typed: Buffer) => {
      resolve(typed.toString('utf8'));
    });
    stdin.once('end', () => {
      resolve('q');
    });
  });
  stdin.setRawMode(false);
  stdin.pause();
  return ['\u0003', '\u0004'].includes(key) ? 'q' : key.toLowerCase();
}
