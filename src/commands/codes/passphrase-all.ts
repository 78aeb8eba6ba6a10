/**
 * `notp passphrase --all`: seals all secrets that the present passphrase opens with one key of the new one, so that one derivation
 * opens them together. The new passphrase may be the present one. Logins stay as they are.
 */
import { NotpError } from '../../error.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { keyToSealWith, refuseChanged, type Own } from '../../enrolment/own-secrets.ts';
import { sealByKey, type PassphraseKey } from '../../enrolment/sealing.ts';
import { storeFiles } from '../../enrolment/storing.ts';
import { namesUpTo, plural } from '../../lists.ts';
import { printSealedFile, type SealedFile } from '../../seal/file.ts';
import { haveSameSeal, Keyring } from '../../seal/keyring.ts';
import type { Payload } from '../../seal/seal.ts';
import { missingSocket } from '../../login/open.ts';
import { asUser } from '../../system/privileges.ts';
import { findDevices, sealedNames, sealedPath } from '../../system/secrets.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { printResult, sayError, sayHint, sayLine } from '../../terminal/printer.ts';
import { openProgress } from '../../terminal/progress.ts';
import type { EnrolmentState } from '../../wire/facts.ts';

export interface AllOptions {
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
  readonly json: boolean;
}

interface Opened {
  readonly file: SealedFile;
  readonly payload: Payload;
}

const MAX_NAMES = 10;

/**
 * Changes all of them or none; a power failure may come between two, and a second run changes the rest. Gives 1 if there are files that
 * cannot be used.
 */
export async function changeAllPassphrases(own: Own, { json, ...options }: AllOptions): Promise<number> {
  const waiting = patience(own.now);
  const { files, unusable } = await ownSecrets(own);
  if (files.length === 0) throw noSecrets(unusable, 'notp passphrase NAME is for a login');
  const present = await givenPassphrase(options.passphraseFile, 'Passphrase of the secrets: ', waiting);
  const opened = openAll(own, files, present);
  try {
    if (opened.length === 0) throw new NotpError('refused', 'this passphrase opens none of them', 'nothing was changed');
    const shared = await keyToSealWith(own, await givenNewPassphrase(options.newPassphraseFile, waiting), files);
    const changed = opened.filter(({ file: { seal } }) => seal.kind === 'passphrase' && !haveSameSeal(seal, shared.seal));
    await store(own, changed, shared);
    shared.key.fill(0);
    const others = files.filter((file) => opened.every((each) => each.file !== file)).map(({ context }) => context);
    print(own, changed, { json, others, all: opened.length });
    return sayLeftOut('not changed', unusable);
  } finally {
    for (const { payload } of opened) payload.secret.fill(0);
  }
}

export interface OwnFiles {
  /** Sorted by name. */
  readonly files: readonly SealedFile[];
  /** Why each of the others cannot be used, with its path. */
  readonly unusable: readonly string[];
}

/**
 * The secrets that are the file of no login. The name does not tell, whether or not it is in notp.toml: it may have come there after the
 * secret, and a login that is revoked leaves its name to a secret, and keeps its id for its record.
 */
export async function ownSecrets(own: Own): Promise<OwnFiles> {
  const { config, user } = own;
  const all = await asUser(user, () => findDevices(config, user, sealedNames(config, user)));
  if (all.every(({ found }) => found.kind === 'sealed' && found.file.seal.kind === 'host')) return { files: [], unusable: [] };
  const logins = await openEnrolments(own).status();
  const socket = missingSocket(config, user);
  const files: SealedFile[] = [];
  const unusable: string[] = [];
  for (const { context, found } of all) {
    const enrolment = logins.find((each) => each.context === context);
    const isUnknown = socket !== undefined && config.contexts.includes(context);
    if (found.kind === 'sealed' && found.file.seal.kind === 'passphrase') {
      if (isUnknown) unusable.push(`${sealedPath(config, user, context)} may be a login, and there is no ${socket} to ask`);
      else if (enrolment?.registered !== true && enrolment?.id !== found.file.id) files.push(found.file);
    } else if (found.kind === 'bad' && (isUnknown || enrolment === undefined || WITHOUT_FILE.includes(enrolment.state))) {
      unusable.push(found.why);
    }
  }
  return { files, unusable };
}

/** States of an enrolment to which no file belongs. */
const WITHOUT_FILE: readonly EnrolmentState[] = ['revoked', 'invited'];

/** The error where none of them can be used. `hint`: what to do where there is none. */
export function noSecrets(unusable: readonly string[], hint: string): NotpError {
  if (unusable.length === 0) return new NotpError('refused', 'there are no secrets of your own', hint);
  return new NotpError('refused', `none of your secrets can be used: ${listed(unusable)}`, MEND);
}

/** Names the files that a command passed over, which is `what`, and why. Gives the exit code. */
export function sayLeftOut(what: string, unusable: readonly string[]): 0 | 1 {
  if (unusable.length === 0) return 0;
  sayError(`${what}, since they cannot be used: ${listed(unusable)}`, MEND);
  return 1;
}

const MEND = 'mend each, or take away what is no secret, and run this again; notp list shows all';

function listed(unusable: readonly string[]): string {
  const rest = unusable.length > MAX_NAMES ? [`and ${String(unusable.length - MAX_NAMES)} more`] : [];
  return [...unusable.slice(0, MAX_NAMES), ...rest].join('; ');
}

function openAll({ now }: Own, files: readonly SealedFile[], passphrase: string): readonly Opened[] {
  const keyring = new Keyring(passphrase);
  const progress = openProgress(files.length, now);
  try {
    return files.flatMap((file, i) => {
      progress.show(i, file.context);
      const payload = keyring.open(file);
      return payload === undefined ? [] : [{ file, payload }];
    });
  } finally {
    progress.end();
    keyring.close();
  }
}

async function store(own: Own, changed: readonly Opened[], shared: PassphraseKey): Promise<void> {
  const { config, user } = own;
  const files = changed.map(({ file: { id, context, created }, payload }) => ({
    ...{ config, user, file: sealedPath(config, user, context) },
    bytes: printSealedFile(sealByKey({ id, user: user.name, context, created }, payload, shared)),
  }));
  await storeFiles(files, async () => {
    for (const { file } of changed) await refuseChanged(own, file);
  });
}

function print(
  { config, user }: Own,
  changed: readonly Opened[],
  { json, others, all }: { readonly json: boolean; readonly others: readonly string[]; readonly all: number },
): void {
  if (json)
    for (const { file } of changed)
      printResult(JSON.stringify({ context: file.context, file: sealedPath(config, user, file.context), id: file.id }) + '\n');
  else if (changed.length === 0) sayLine(`Nothing to change: one key opens ${plural(all, 'secret')} already`);
  else sayLine(`Sealed ${plural(changed.length, 'secret')} together. Copies of the old files still open with the old passphrase.`);
  if (others.length > 0) sayHint(`not opened by this passphrase, and not changed: ${namesUpTo(MAX_NAMES, others)}`);
}
