/** `notp remove`: deletes your own sealed file. It refuses a login, which must be revoked. */
import { rmSync } from 'node:fs';
import * as path from 'node:path';
import { messageOf, NotpError } from '../../error.ts';
import type { SealedFile } from '../../seal/file.ts';
import { printResult, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, sealedNames, sealedPath } from '../../system/secrets.ts';
import { removeDrafts, syncFolder } from '../../system/trusted.ts';
import { confirmYes } from '../../terminal/confirm.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { dropCounter, ownSealed, type Own } from '../../enrolment/own-secrets.ts';
import type { Command } from 'commander';
import { common, ownOf, type CommonFlags, type Finish, type Surroundings, SECRET_NAME } from '../options.ts';

export interface RemoveOptions {
  readonly context: string;
  /** Do not ask. */
  readonly yes: boolean;
  readonly json: boolean;
}

export async function remove(own: Own, { context, yes, json }: RemoveOptions): Promise<number> {
  const sealed = await ownSealed(own, context);
  const file = sealedPath(own.config, own.user, context);
  await refuseLogin(own, sealed, 'revoked and not removed');
  if (!yes)
    await confirmYes(`Remove ${file} for good? Its codes cannot be made again.`, 'give --yes to remove it without a question', own.now);
  await deleteSealed(own, context);
  // A rename that was interrupted leaves the secret under two names, which count together.
  const others = await asUser(own.user, () => sealedNames(own.config, own.user).map((name) => findSealed(own.config, own.user, name)));
  if (!others.some((each) => each.kind === 'sealed' && each.file.id === sealed.id)) await dropCounter(own, sealed.id);
  if (json) printResult(JSON.stringify({ context, file, removed: true }) + '\n');
  else sayLine(`Removed ${file}`);
  return 0;
}

/** Deletes the sealed file, and durably. */
export async function deleteSealed({ config, user }: Own, context: string): Promise<void> {
  const file = sealedPath(config, user, context);
  await asUser(user, () => {
    try {
      rmSync(file);
      // Drafts that a kill has left behind hold the secret too.
      removeDrafts(file, 0);
      syncFolder(path.dirname(file));
    } catch (error) {
      throw new NotpError('failed', messageOf(error), `${file} may still be there`);
    }
  });
}

/** `what`: what is done with a login instead. */
export async function refuseLogin(own: Own, sealed: SealedFile, what: string): Promise<void> {
  if (!(await openEnrolments(own).isLogin(sealed))) return;
  throw new NotpError(
    'refused',
    `${sealed.context} is a login of this host, which is ${what}`,
    'notp revoke ends the login; notp enroll --replace makes a new secret',
  );
}

interface RemoveFlags extends CommonFlags {
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Adds `remove`. */
export function addRemove(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('remove'))
    .description('delete one of your secrets for good; a login of this host is not removed')
    .argument('<context>', SECRET_NAME)
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string, flags: RemoveFlags) => {
      finish(await remove(await ownOf(flags, now), { context, yes: flags.yes === true, json: flags.json === true }));
    });
}
