/** `notp verify [context]`: makes the decision of a login, for a user's own scripts. It uses up the code. */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { askUntilAccepted } from '../../doors/prompts.ts';
import { isBroken, sayRefusal } from '../../doors/refusal.ts';
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import { parseProof, readings, type Reading } from '../../otp/proof.ts';
import { onEndingSignals, type Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { lineFrom, openConversation, readStdinLine } from '../../terminal/conversation.ts';
import { printResult } from '../../terminal/printer.ts';
import { openVerifier } from '../../login/open.ts';
import { NOTHING_KNOWN, type Outcome, type Verifier } from '../../wire/verifier.ts';
import { passphraseFromFile } from '../../terminal/ask-passphrase.ts';
import { userNamed } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { CONTEXT, passphraseFileOption, type CommonFlags, type Finish, type Surroundings, common, configOf } from '../options.ts';

export interface VerifyOptions {
  readonly context: string;
  readonly user: string | undefined;
  readonly codeStdin: boolean;
  readonly passphraseFile: string | undefined;
  readonly json: boolean;
}

export async function verify(config: Config, options: VerifyOptions, now: () => number): Promise<number> {
  const user = userNamed(options.user, {
    onlyRoot: 'verify for somebody else',
    hint: ({ name }) => shellCommand`sudo notp verify --user ${name}`,
  });
  const origin: Origin = { user: user.name, uid: user.uid, context: contextName(options.context), door: 'cli' };
  const verifier = await openVerifier({ config, contexts: [origin.context], user, origin, circumstances: NOTHING_KNOWN, now });
  try {
    const waiting = { deadlineMs: now() + config.gate.timeoutMs, interrupt: onEndingSignals() };
    const outcome = await askAndJudge(verifier, config, options, waiting);
    if (options.json) printResult(jsonOf(outcome, origin));
    return exitCodeOf(outcome);
  } finally {
    verifier.close();
  }
}

async function askAndJudge(verifier: Verifier, config: Config, options: VerifyOptions, waiting: Waiting): Promise<Outcome> {
  const settled = await verifier.beforeAsking(undefined);
  if (settled !== undefined) return sayRefusal(settled);
  const passphrase = options.passphraseFile === undefined ? undefined : await passphraseFromFile(options.passphraseFile, waiting);
  if (options.codeStdin) return sayRefusal(await verifier.verify(await readFromStdin(verifier, passphrase, waiting)));
  const conversation = openConversation(waiting);
  try {
    if (!conversation.interactive)
      throw new NotpError('usage', 'there is no terminal to ask on', 'give --code-stdin to read the code from stdin');
    return await askUntilAccepted(verifier, conversation, {
      tries: config.gate.tries,
      prompt: config.gate.prompt,
      tell: sayRefusal,
      attempt: {},
      passphrase,
    });
  } finally {
    conversation.close();
  }
}

async function readFromStdin(
  verifier: Verifier,
  passphrase: string | undefined,
  waiting: Waiting,
): Promise<{ readings: readonly Reading[]; timedOut: boolean }> {
  const answer = await readStdinLine(waiting);
  if (!('bytes' in answer)) return { readings: [], timedOut: 'ended' in answer && answer.ended === 'timeout' };
  const line = lineFrom(answer.bytes) ?? '';
  if (passphrase === undefined) return { readings: readings(line, verifier.seal), timedOut: false };
  const proof = parseProof(line);
  return { readings: proof === undefined ? [] : [{ passphrase, proof }], timedOut: false };
}

function jsonOf({ verdict, ref }: Outcome, { user, context }: Origin): string {
  const rest =
    verdict.result === 'accepted'
      ? { method: verdict.method, step_offset: verdict.stepOffset }
      : { reason: verdict.reason, wait_seconds: verdict.waitSeconds, codes_needed: verdict.codesNeeded };
  return JSON.stringify({ result: verdict.result, user, context, ...rest, ref }) + '\n';
}

function exitCodeOf(outcome: Outcome): number {
  if (outcome.verdict.result === 'accepted') return 0;
  return isBroken(outcome.verdict) ? 3 : 1;
}

interface VerifyFlags extends CommonFlags {
  readonly user?: string;
  readonly codeStdin?: boolean;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

/** Adds `verify`. */
export function addVerify(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('verify'))
    .description('ask for a code and check it as a login would; the code is used up')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of the login; only root can name another user')
    .option('--code-stdin', 'read the code from the first line of stdin (a passphrase may come before it)')
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  notp verify deploy && ./deploy.sh')
    .action(async (context: string | undefined, flags: VerifyFlags) => {
      const config = configOf(flags);
      const { user, passphraseFile } = flags;
      const options = { user, passphraseFile, codeStdin: flags.codeStdin === true, json: flags.json === true };
      finish(await verify(config, { context: context ?? config.context, ...options }, now));
    });
}
