/** `notp recovery`: new recovery codes for a login, without a new secret; the old ones are worth nothing from then on. */
import { printResult, sayLine } from '../../terminal/printer.ts';
import { textOf } from '../../enrolment/show.ts';
import type { Own } from '../../enrolment/own-secrets.ts';
import { sealAnew, type SealAnew } from '../../enrolment/seal-anew.ts';

export interface RecoveryOptions extends Pick<SealAnew, 'context' | 'passphraseFile'> {
  /** How many. */
  readonly count: number;
  readonly json: boolean;
}

export async function newRecovery(own: Own, { count, json, ...options }: RecoveryOptions): Promise<number> {
  const { name: user } = own.user;
  const what = { ...options, event: 'recovery', seal: undefined, recovery: count, newPassphraseFile: undefined } as const;
  await sealAnew(own, what, ({ id, file, recovery }) => {
    printResult(json ? JSON.stringify({ id, user, context: options.context, file, recovery }) + '\n' : textOf(recovery));
  });
  if (!json)
    sayLine(`The recovery codes of ${user} for ${options.context} are ${count === 0 ? 'gone' : 'new'}; the old ones are worth nothing`);
  return 0;
}
