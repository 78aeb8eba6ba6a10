/** `notp demo`: shows a throw-away secret for a phone, and its codes. Nothing is stored. */
import { randomBytes } from 'node:crypto';
import { isatty } from 'node:tty';
import { codeAt, secretLength, stepAt, toBase32 } from '../../otp/code.ts';
import { otpauthUri, USUAL_PARAMETERS, type TotpCredential } from '../../otp/uri.ts';
import { printResult, say, sayHint } from '../../terminal/printer.ts';
import { onEndingSignals } from '../../system/bytes.ts';
import { showLive } from './live.ts';
import type { QrStyle } from '../../terminal/choices.ts';
import { showSecret } from '../../terminal/secret-screen.ts';
import type { Command } from 'commander';
import { qrOption, type Finish, type Surroundings } from '../options.ts';

/** The exit code is 0. On a terminal it runs until the person quits. */
export async function demo({ qr, json }: { qr: QrStyle | undefined; json: boolean }, now: () => number): Promise<number> {
  const secret = new Uint8Array(randomBytes(secretLength(USUAL_PARAMETERS.algorithm)));
  const credential: TotpCredential = { ...USUAL_PARAMETERS, type: 'totp', secret, issuer: 'notp demo', account: 'nobody' };
  if (json) {
    printResult(jsonOf(credential, now()));
    return 0;
  }
  say('A throw-away secret, to try an app: nothing is stored, and it protects nothing.\n');
  const interrupt = isatty(1) ? onEndingSignals() : undefined;
  const after = `It shows the same codes as the last line.${interrupt === undefined ? '' : ' q ends.'}`;
  showSecret(credential, { stream: process.stdout, print: printResult, style: qr, after, otherwise: '' });
  if (interrupt === undefined) printResult(`${codeAt(secret, stepAt(now(), credential.periodSeconds), credential)}\n`);
  else await live(credential, now, interrupt);
  sayHint('a second factor for a login on this host: sudo notp-enroll NAME');
  sayHint('the codes of another service on this command line: notp import NAME');
  return 0;
}

async function live(credential: TotpCredential, now: () => number, interrupt: AbortSignal): Promise<void> {
  const { secret, periodSeconds, issuer } = credential;
  const source = { kind: 'totp', title: issuer, periodSeconds, codeAt: (step: number) => codeAt(secret, step, credential) } as const;
  await showLive(source, { now, interrupt, inline: true });
}

function jsonOf(credential: TotpCredential, nowMs: number): string {
  const { secret, issuer, account, algorithm, digits, periodSeconds: period } = credential;
  const step = stepAt(nowMs, period);
  const code = codeAt(secret, step, credential);
  const valid_seconds = (step + 1) * period - Math.floor(nowMs / 1000);
  const fields = { uri: otpauthUri(credential), secret: toBase32(secret), code, issuer, account, algorithm, digits, period, valid_seconds };
  return `${JSON.stringify(fields)}\n`;
}

interface DemoFlags {
  readonly qr?: QrStyle;
  readonly json?: boolean;
}

/** Adds `demo`. */
export function addDemo(program: Command, { now }: Surroundings, finish: Finish): void {
  program
    .command('demo')
    .description('show a throw-away secret, its QR code and its live codes; nothing is stored')
    .allowExcessArguments(false)
    .addOption(qrOption('how to draw the QR code'))
    .option('--json', 'print one JSON object')
    .action(async (flags: DemoFlags) => {
      finish(await demo({ qr: flags.qr, json: flags.json === true }, now));
    });
}
