/** The codes of several secrets that one passphrase opens: a live table on a terminal, else a line each. */
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { refuseHostSealed, type Own } from '../../enrolment/own-secrets.ts';
import { namesUpTo } from '../../lists.ts';
import { codeAt, stepAt } from '../../otp/code.ts';
import type { SealedFile } from '../../seal/file.ts';
import { Keyring } from '../../seal/keyring.ts';
import type { Payload, TotpPayload } from '../../seal/seal.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { printResult, sayHint, whileRead } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { jsonOfCode } from './code-json.ts';
import { showTable } from './live-table.ts';

export interface SeveralOptions {
  readonly once: boolean;
  readonly json: boolean;
  readonly passphraseFile: string | undefined;
}

interface Opened {
  readonly context: string;
  readonly payload: Payload;
}

const MAX_NAMES = 10;

/** Throws `refused` where the passphrase opens none of `files`. Those that it does not open are named. */
export async function codesOf(own: Own, files: readonly SealedFile[], { once, json, passphraseFile }: SeveralOptions): Promise<number> {
  for (const file of files) refuseHostSealed(file);
  const waiting = patience(own.now);
  const opened = openAll(files, await givenPassphrase(passphraseFile, 'Passphrase: ', waiting));
  try {
    hintAtOthers(files, opened);
    const shown = opened.flatMap(({ context, payload }) => (payload.type === 'totp' ? [{ context, payload }] : []));
    if (shown.length > 0 && isatty(1) && outputTraits().cursor && !once && !json)
      await showTable(shown.map(rowSource), { now: own.now, interrupt: waiting.interrupt });
    else await whileRead(() => Promise.resolve(printAll(shown, own.now(), json)));
    return 0;
  } finally {
    for (const { payload } of opened) payload.secret.fill(0);
  }
}

function openAll(files: readonly SealedFile[], passphrase: string): readonly Opened[] {
  const keyring = new Keyring(passphrase);
  try {
    const opened = files.flatMap((file) => {
      const payload = keyring.open(file);
      return payload === undefined ? [] : [{ context: file.context, payload }];
    });
    if (opened.length > 0) return opened;
    throw new NotpError('refused', 'this passphrase opens none of them', 'notp list shows all secrets');
  } finally {
    keyring.close();
  }
}

function hintAtOthers(files: readonly SealedFile[], opened: readonly Opened[]): void {
  const closed = files.map(({ context }) => context).filter((context) => !opened.some((each) => each.context === context));
  if (closed.length > 0) sayHint(`not opened by this passphrase: ${namesUpTo(MAX_NAMES, closed)}`);
  for (const { context } of opened.filter(({ payload }) => payload.type === 'hotp'))
    sayHint(`${context} counts its codes, and shows the next one alone: ${shellCommand`notp code ${context}`}`);
}

function rowSource({ context, payload }: { context: string; payload: TotpPayload }): Parameters<typeof showTable>[0][number] {
  return { name: context, periodSeconds: payload.periodSeconds, codeAt: (step) => codeAt(payload.secret, step, payload) };
}

function printAll(all: readonly { context: string; payload: TotpPayload }[], nowMs: number, json: boolean): void {
  const width = Math.max(0, ...all.map(({ context }) => context.length));
  for (const { context, payload } of all) {
    const code = codeAt(payload.secret, stepAt(nowMs, payload.periodSeconds), payload);
    printResult(json ? jsonOfCode(context, payload, nowMs) : `${context.padEnd(width)}  ${code}\n`);
  }
}
