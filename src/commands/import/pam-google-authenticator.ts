/** `notp import --from google-authenticator`: imports a login of pam_google_authenticator with its remaining emergency codes. */
import { NotpError } from '../../error.ts';
import { parseGoogleAuthenticator } from '../../otp/pam-google-authenticator.ts';
import type { Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import type { Conversation } from '../../terminal/conversation.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { makeSecretsFolder } from '../../system/secrets.ts';
import { enableSockets, hasService } from '../../system/systemd.ts';
import type { Enrolment } from '../../store/store.ts';
import { openState, openToSeal, type State } from '../../state/state.ts';
import { givenNewPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import type { GivenParameters } from './read-source.ts';
import { withLabels, storeLogin, type ForeignLogin, type Stored } from './login.ts';
import { type LoginPlan, type Target, loginPlan, targetOf } from './login-plan.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { presentLogin, type Present } from './login-present.ts';
import { googleAuthenticatorText } from './login-source.ts';
import { conversationBeside } from './source.ts';

export interface LoginOptions {
  readonly context: string;
  readonly user: string | undefined;
  readonly seal: 'host' | 'passphrase' | undefined;
  /** Undefined: stdin, or if stdin is a terminal, the usual file in the user's home. */
  readonly file: string | undefined;
  readonly given: GivenParameters;
  readonly passphraseFile: string | undefined;
  readonly dryRun: boolean;
  readonly replace: boolean;
  readonly json: boolean;
}

/** One login to import, its source and its target. */
interface Import {
  readonly plan: LoginPlan;
  readonly target: Target;
  readonly foreign: ForeignLogin;
  /** The file it was read from; undefined for stdin. */
  readonly source: string | undefined;
}

/** The exit code is 0 if the login is imported now or was imported before. */
export async function importGoogleAuthenticator(config: Config, options: LoginOptions, now: () => number): Promise<number> {
  refuseParameters(options.given);
  const plan = loginPlan(config, options.user, options.seal);
  const { user, place } = plan;
  const waiting = patience(now);
  const { text, file } = await googleAuthenticatorText(options.file, { user, isNamed: options.user !== undefined }, waiting);
  const read = parseGoogleAuthenticator(text, now());
  const foreign: ForeignLogin = { ...read, credential: withLabels(read.credential, user, config, options.given) };
  const what: Import = { plan, target: targetOf({ config, place, now }, user, options.context), foreign, source: file };
  const present = await findPresent(what);
  if (present.kind === 'homeless') throw new NotpError('refused', `${user.name} ${present.why}`, 'create it first; nothing was changed');
  if (present.kind === 'other' && !options.replace)
    throw new NotpError('refused', `${user.name} ${present.why}`, 'give --replace to replace it; nothing was changed');
  const done =
    present.kind === 'same'
      ? { id: present.id, notes: [], left: recoveryLeft(present.enrolment.state) }
      : options.dryRun
        ? undefined
        : await sealAndStore(what, present, options, waiting);
  if (!options.dryRun && place.kind === 'service' && hasService()) enableSockets([user.uid]);
  printOutcome(what, options, present, done);
  foreign.credential.secret.fill(0);
  return 0;
}

/** The file has its own digits, period and algorithm, so the options must not be given. */
function refuseParameters({ digits, periodSeconds, algorithm }: GivenParameters): void {
  if (digits === undefined && periodSeconds === undefined && algorithm === undefined) return;
  throw new NotpError('usage', 'a google-authenticator file already has these parameters', 'leave out --digits, --period and --algorithm');
}

/** The enrolment and file that are already there. Changes nothing. */
async function findPresent({ plan: { place }, target, foreign }: Import): Promise<Present> {
  const { user, context } = target.origin;
  const known = (state: State): Promise<Enrolment | undefined> =>
    state.store.exclusively((transaction) => transaction.enrolment(user, context));
  const state = await asUser(place.owner, () => openState(place, target.now, { create: false }));
  try {
    const enrolment = state === undefined ? undefined : await asUser(place.owner, () => known(state));
    return await presentLogin(target, enrolment, state, foreign.credential);
  } finally {
    state?.store.close();
  }
}

async function sealAndStore({ plan, target, foreign }: Import, present: Present, options: LoginOptions, waiting: Waiting): Promise<Stored> {
  const { place, sealKind } = plan;
  const ask = (): Conversation => conversationBeside(options.file, waiting);
  const otherThan = present.kind === 'other' ? present.otherThan : undefined;
  const given = sealKind === 'passphrase' || options.passphraseFile !== undefined;
  const typed = given ? await givenNewPassphrase(options.passphraseFile, waiting, ask) : undefined;
  const passphrase = sealKind === 'passphrase' ? typed : undefined;
  const state = await asUser(place.owner, () => {
    if (place.kind === 'user') makeSecretsFolder(target.config, target.user);
    return openToSeal(target.config, place, sealKind, target.now);
  });
  try {
    return await storeLogin(target, state, foreign, { passphrase, opening: typed, replace: options.replace, otherThan });
  } finally {
    state.store.close();
  }
}

function printOutcome(
  { plan, target, foreign, source }: Import,
  { json, dryRun }: LoginOptions,
  present: Present,
  done: Stored | undefined,
): void {
  const { user, context } = target.origin;
  const already = present.kind === 'same';
  const result = already ? 'already_there' : dryRun ? 'would_import' : 'imported';
  const left = already ? recoveryLeft(present.enrolment.state) : (done?.left ?? foreign.emergency.length);
  const notes = [...foreign.notes, ...(done?.notes ?? [])];
  const facts = { id: done?.id ?? null, user, context, seal: plan.sealKind, file: target.file, type: foreign.credential.type };
  if (json) printResult(JSON.stringify({ ...facts, result, recovery_left: left, notes }) + '\n');
  if (already) sayLine(`Already there: ${user} is enrolled for ${context} with the same secret; nothing was changed`);
  else {
    sayLine(`${dryRun ? 'Would import' : 'Imported'} ${user} for ${context}: ${target.file}, ${codesLeft(left)}`);
    for (const note of notes) sayLine(`Note: ${note}`);
  }
  if (dryRun) return;
  sayHint('keep this session open until a new login works');
  sayHint(`when it works, delete ${source ?? 'the old file'}, which holds the secret unencrypted`);
}

function codesLeft(count: number): string {
  if (count === 0) return 'with no emergency codes; notp recovery makes recovery codes';
  return `with ${String(count)} emergency ${count === 1 ? 'code' : 'codes'}`;
}
