/** `notp code`: the current code of a secret, once or live. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { codeAt, stepAt } from '../../otp/code.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { HotpPayload, Payload, TotpPayload } from '../../seal/seal.ts';
import type { SealedFile } from '../../seal/file.ts';
import { printResult } from '../../terminal/printer.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { listSecrets } from './list.ts';
import { showLive, type LiveSource } from './live.ts';
import { openSealed, ownSealed, refuseHostSealed, takeCounter, type Own } from '../../enrolment/own-secrets.ts';
import { Option, type Command } from 'commander';
import { ownOf, type Finish, type SecretFlags, type Surroundings, withPassphrase, SECRET_NAME } from '../options.ts';

export interface CodeOptions {
  /** Undefined: list the secrets. */
  readonly context: string | undefined;
  readonly once: boolean;
  readonly watch: boolean;
  readonly json: boolean;
  readonly passphraseFile: string | undefined;
}

/** Shows the codes live until the user quits, or prints one code. Without a context it lists the secrets. */
export async function code(own: Own, options: CodeOptions): Promise<number> {
  const { context, passphraseFile, json } = options;
  if (context === undefined) return await listSecrets(own, { json, passphraseFile, ask: isatty(0) && isatty(1) && !json });
  const file = await ownSealed(own, context);
  refuseHostSealed(file);
  const waiting = patience(own.now);
  const payload = openSealed(file, await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, waiting));
  try {
    if (isatty(1) && !options.once && !json) await showLive(liveSource(own, file, payload), { now: own.now, interrupt: waiting.interrupt });
    else if (options.watch) await printEach(own, file, payload, json, waiting.interrupt);
    else printResult(await currentCode(own, file, payload, json));
    return 0;
  } finally {
    payload.secret.fill(0);
  }
}

function liveSource(own: Own, file: SealedFile, payload: Payload): LiveSource {
  const title = titleOf(payload, file.context);
  if (payload.type === 'hotp')
    return { kind: 'hotp', title, nextCode: async () => codeAt(payload.secret, await takeCounter(own, file.id), payload) };
  return { kind: 'totp', title, periodSeconds: payload.periodSeconds, codeAt: (step) => codeAt(payload.secret, step, payload) };
}

function titleOf({ issuer, account }: Payload, context: string): string {
  if (issuer === '') return escapeControls(account === '' ? context : account);
  return escapeControls(account === '' ? issuer : `${issuer} (${account})`);
}

async function currentCode(own: Own, file: SealedFile, payload: Payload, json: boolean): Promise<string> {
  return payload.type === 'hotp' ? await countedCode(own, file, payload, json) : timedCode(own, file, payload, json);
}

async function countedCode(own: Own, { id, context }: SealedFile, payload: HotpPayload, json: boolean): Promise<string> {
  const counter = await takeCounter(own, id);
  const shown = codeAt(payload.secret, counter, payload);
  return json ? jsonLine({ context, ...namesOf(payload), code: shown, counter }) : `${shown}\n`;
}

function timedCode({ now }: Own, { context }: SealedFile, payload: TotpPayload, json: boolean): string {
  const [nowMs, period] = [now(), payload.periodSeconds];
  const step = stepAt(nowMs, period);
  const shown = codeAt(payload.secret, step, payload);
  if (!json) return `${shown}\n`;
  const next = codeAt(payload.secret, step + 1, payload);
  return jsonLine({
    context,
    ...namesOf(payload),
    period,
    code: shown,
    next,
    valid_seconds: Math.ceil((step + 1) * period - nowMs / 1000),
  });
}

function namesOf({ type, issuer, account, algorithm, digits }: Payload): object {
  return { type, issuer, account, algorithm, digits };
}

function jsonLine(fields: object): string {
  return JSON.stringify(fields) + '\n';
}

/** Prints a line for each step, until a signal ends it. */
async function printEach(own: Own, file: SealedFile, payload: Payload, json: boolean, interrupt: AbortSignal): Promise<void> {
  if (payload.type === 'hotp') throw new NotpError('usage', 'a counter-based (HOTP) secret cannot be watched', 'leave out --watch');
  while (!interrupt.aborted) {
    printResult(timedCode(own, file, payload, json));
    await untilNextStep(payload.periodSeconds, own.now, interrupt);
  }
}

/** Waits until the clock reaches another step. A timer may fire a moment early, and a clock may jump. */
async function untilNextStep(periodSeconds: number, now: () => number, signal: AbortSignal): Promise<void> {
  const step = stepAt(now(), periodSeconds);
  const nextMs = (step + 1) * periodSeconds * 1000;
  while (!signal.aborted && stepAt(now(), periodSeconds) === step)
    await sleep(Math.max(1, nextMs - now()), undefined, { signal }).catch(() => undefined);
}

interface CodeFlags extends SecretFlags {
  readonly once?: boolean;
  readonly watch?: boolean;
}

/** Adds `code`. */
export function addCode(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('code'))
    .description('show the current code of a secret, live until Ctrl-C; without a context list the secrets')
    .argument('[context]', SECRET_NAME)
    .addOption(new Option('--once', 'print the code once (the default if stdout is not a terminal)').conflicts('watch'))
    .option('--watch', 'print each new code on its own line, if stdout is not a terminal')
    .addHelpText(
      'after',
      '\nExamples:\n  notp code github             live, in large digits\n  notp code github | xclip     the code alone',
    )
    .action(async (context: string | undefined, flags: CodeFlags) => {
      const { passphraseFile } = flags;
      const options = { context, passphraseFile, once: flags.once === true, watch: flags.watch === true, json: flags.json === true };
      finish(await code(await ownOf(flags, now), options));
    });
}
