/** `notp code`: the current code of a secret, or of several, once or live. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { codeAt, stepAt } from '../../otp/code.ts';
import { escapeControls } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import type { HotpPayload, Payload, TotpPayload } from '../../seal/seal.ts';
import type { SealedFile } from '../../seal/file.ts';
import { asUser } from '../../system/privileges.ts';
import { findDevices, sealedNames } from '../../system/secrets.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { meantByAll } from './chosen.ts';
import { jsonOfCode, jsonOfCounted } from './code-json.ts';
import { copyCode, refuseWithoutClipboard } from './copy.ts';
import { listSecrets, nothingYet } from './list.ts';
import { showLive, type LiveSource } from './live.ts';
import { codesOf } from './several.ts';
import { openSealed, ownSealed, refuseHostSealed, takeCounter, type Own } from '../../enrolment/own-secrets.ts';
import { Option, type Command } from 'commander';
import { ownOf, type Finish, type SecretFlags, type Surroundings, withPassphrase } from '../options.ts';

export interface CodeOptions {
  /** Names, or what they begin with; none without `all`: list the secrets. */
  readonly contexts: readonly string[];
  readonly all: boolean;
  readonly once: boolean;
  readonly watch: boolean;
  readonly copy: boolean;
  readonly json: boolean;
  readonly passphraseFile: string | undefined;
}

/** Shows the codes live until the user quits, or prints them once. Without a context it lists the secrets. */
export async function code(own: Own, options: CodeOptions): Promise<number> {
  const { contexts, all, passphraseFile, json } = options;
  if (all) return await codesOfAll(own, options);
  if (contexts.length === 0) return await listSecrets(own, { json, passphraseFile, ask: isatty(0) && isatty(1) && !json });
  const names = await asUser(own.user, () => sealedNames(own.config, own.user));
  const meant = meantByAll(contexts.map(contextName), names, own.config.contexts);
  const files: SealedFile[] = [];
  for (const context of meant) files.push(await ownSealed(own, context));
  const [file] = files;
  if (file !== undefined && files.length === 1) return await codeOf(own, file, options);
  refuseForSeveral(options, `${String(files.length)} secrets: ${meant.slice(0, MAX_NAMES).join(', ')}`);
  return await codesOf(own, files, options);
}

const MAX_NAMES = 10;

async function codesOfAll(own: Own, options: CodeOptions): Promise<number> {
  if (options.contexts.length > 0) throw new NotpError('usage', '--all shows every secret', 'leave out the names, or --all');
  refuseForSeveral(options, 'all secrets');
  const { config, user } = own;
  const all = await asUser(user, () => findDevices(config, user, sealedNames(config, user)));
  for (const { found } of all) if (found.kind === 'bad') sayHint(found.why);
  const files = all.flatMap(({ found: each }) => (each.kind === 'sealed' && each.file.seal.kind === 'passphrase' ? [each.file] : []));
  if (files.length > 0) return await codesOf(own, files, options);
  sayHint(nothingYet(config));
  return 0;
}

function refuseForSeveral({ watch, copy }: CodeOptions, what: string): void {
  if (watch || copy)
    throw new NotpError('usage', `${watch ? '--watch' : '--copy'} is for one secret, and these are ${what}`, 'give one whole name');
}

async function codeOf(own: Own, file: SealedFile, options: CodeOptions): Promise<number> {
  const { context } = file;
  const { passphraseFile, json } = options;
  refuseHostSealed(file);
  if (options.copy) refuseWithoutClipboard(context);
  const waiting = patience(own.now);
  const payload = openSealed(file, await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, waiting));
  try {
    if (options.copy) await copyCode(context, await liveCode(own, file, payload), waiting.interrupt);
    else if (isatty(1) && !options.once && !json)
      await showLive(liveSource(own, file, payload), { now: own.now, interrupt: waiting.interrupt });
    else if (options.watch) await printEach(own, file, payload, json, waiting.interrupt);
    else printResult(await currentCode(own, file, payload, json));
    return 0;
  } finally {
    payload.secret.fill(0);
  }
}

/** The code, and for how long it is valid. */
async function liveCode(own: Own, file: SealedFile, payload: Payload): Promise<Parameters<typeof copyCode>[1]> {
  if (payload.type === 'hotp') return { code: codeAt(payload.secret, await takeCounter(own, file.id), payload), validMs: undefined };
  const nowMs = own.now();
  const step = stepAt(nowMs, payload.periodSeconds);
  return { code: codeAt(payload.secret, step, payload), validMs: (step + 1) * payload.periodSeconds * 1000 - nowMs };
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
  return json ? jsonOfCounted(context, payload, shown, counter) : `${shown}\n`;
}

function timedCode({ now }: Own, { context }: SealedFile, payload: TotpPayload, json: boolean): string {
  const nowMs = now();
  return json ? jsonOfCode(context, payload, nowMs) : `${codeAt(payload.secret, stepAt(nowMs, payload.periodSeconds), payload)}\n`;
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
  readonly all?: boolean;
  readonly once?: boolean;
  readonly watch?: boolean;
  readonly copy?: boolean;
}

const EXAMPLES = `
A name may be in any case, or only begin like the secret. Several secrets are
shown together if one passphrase opens them.

Examples:
  notp code github             live, in large digits
  notp code github | xclip     the code alone
  notp code github --copy      to the clipboard of your terminal, also over SSH
  notp code git aws            a table of all that begin with git or aws
  notp code --all              a table of all secrets`;

/** Adds `code`. */
export function addCode(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('code'))
    .description('show the current code of a secret, live until Ctrl-C; without a context list the secrets')
    .argument('[context...]', 'names of the secrets, or what they begin with')
    .option('--all', 'show the codes of all secrets that the passphrase opens')
    .addOption(new Option('--once', 'print the code once (the default if stdout is not a terminal)').conflicts('watch'))
    .option('--watch', 'print each new code on its own line, if stdout is not a terminal')
    .addOption(
      new Option('--copy', 'copy the code to the clipboard of the terminal (OSC 52), and clear it when the code ends').conflicts([
        ...['once', 'watch', 'json'],
      ]),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (contexts: readonly string[], flags: CodeFlags) => {
      const { passphraseFile } = flags;
      const switches = { all: flags.all === true, once: flags.once === true, watch: flags.watch === true, copy: flags.copy === true };
      finish(await code(await ownOf(flags, now), { contexts, passphraseFile, json: flags.json === true, ...switches }));
    });
}
