/**
 * `notp rename`: gives a secret of one's own another name. The name is bound into the sealed file, so it is sealed again, and the
 * earlier file goes only when the new one is in its place. A rename that was interrupted in between is completed by the same command.
 */
import type { Command } from 'commander';
import { type Own, keyToSealWith, openSealed, ownSealed, refuseChanged, refuseHostSealed } from '../../enrolment/own-secrets.ts';
import { sealByKey } from '../../enrolment/sealing.ts';
import { storeFiles } from '../../enrolment/storing.ts';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import { haveSameSecret } from '../../otp/uri.ts';
import { printSealedFile, type SealedFile } from '../../seal/file.ts';
import type { Payload } from '../../seal/seal.ts';
import { sealedPath } from '../../system/secrets.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { printResult, sayLine } from '../../terminal/printer.ts';
import { ownOf, SECRET_NAME, withPassphrase, type Finish, type SecretFlags, type Surroundings } from '../options.ts';
import { refuseLoginName, refuseSecretAsName } from '../own-names.ts';
import { deleteSealed, refuseLogin } from './remove.ts';

export interface RenameOptions {
  readonly from: string;
  readonly to: string;
  readonly passphraseFile: string | undefined;
  readonly json: boolean;
}

export async function rename(own: Own, { from, to, passphraseFile, json }: RenameOptions): Promise<number> {
  refuseSecretAsName(contextName(to));
  const old = await ownSealed(own, from);
  refuseHostSealed(old);
  await refuseLogin(own, old, 'not renamed');
  await standsAlready(own, old, to);
  const passphrase = await givenPassphrase(passphraseFile, `Passphrase for ${from}: `, patience(own.now));
  const payload = openSealed(old, passphrase);
  try {
    await putUnder(own, old, { to, payload, passphrase });
  } finally {
    payload.secret.fill(0);
  }
  await deleteSealed(own, from);
  const file = sealedPath(own.config, own.user, to);
  if (json) printResult(JSON.stringify({ context: to, file, id: old.id, before: from }) + '\n');
  else sayLine(`Renamed ${from} to ${to}: ${file}`);
  return 0;
}

interface Renaming {
  readonly to: string;
  readonly payload: Payload;
  readonly passphrase: string;
}

/** Where an earlier run got as far, that file must open too before the other one is deleted. */
async function putUnder(own: Own, old: SealedFile, { to, payload, passphrase }: Renaming): Promise<void> {
  if (await standsAlready(own, old, to)) {
    const other = openSealed(await ownSealed(own, to), passphrase);
    const isSame = haveSameSecret(payload, other);
    other.secret.fill(0);
    if (!isSame) throw taken(own, to);
    return;
  }
  const { config, user } = own;
  const shared = await keyToSealWith(own, passphrase);
  const bytes = printSealedFile(sealByKey({ id: old.id, user: user.name, context: to, created: old.created }, payload, shared));
  shared.key.fill(0);
  await storeFiles([{ config, user, file: sealedPath(config, user, to), bytes }], async () => {
    await refuseChanged(own, old);
    await standsAlready(own, old, to);
  });
}

/** Whether the same secret has the name `to` already. Throws `refused` where something else has it. */
async function standsAlready(own: Own, old: SealedFile, to: string): Promise<boolean> {
  const found = await refuseLoginName(own, to, 'rename it');
  if (found.kind === 'absent') return false;
  if (found.kind === 'sealed' && found.file.id === old.id && to !== old.context) return true;
  throw taken(own, to);
}

function taken({ config, user }: Own, to: string): NotpError {
  return new NotpError(
    'refused',
    `${sealedPath(config, user, to)} already exists`,
    shellCommand`give another name, or remove that one first: notp remove ${to}`,
  );
}

/** Adds `rename`. */
export function addRename(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('rename'))
    .description('give one of your secrets another name; a login of this host is not renamed')
    .argument('<context>', SECRET_NAME)
    .argument('<name>', 'its new name')
    .action(async (from: string, to: string, { passphraseFile, json, ...flags }: SecretFlags) => {
      finish(await rename(await ownOf(flags, now), { from, to, passphraseFile, json: json === true }));
    });
}
