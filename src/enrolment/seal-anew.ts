/**
 * Sealing a login anew: another passphrase, the key of the host, or new recovery codes. The new file takes the place of
 * the old one in one step, and its id is new, so that the old file put back does not log in any more. Done here by root
 * and on one's own state; where the service holds the login, by the service, after a code.
 */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { parseSealedFile, printSealedFile, registrationOf, type SealedFile } from '../seal/file.ts';
import type { Payload } from '../seal/payload.ts';
import { openConversation } from '../terminal/conversation.ts';
import { asUser } from '../system/privileges.ts';
import { sealedAnew } from './anew.ts';
import type { Change } from '../wire/enrol-question.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { presentSocket } from '../login/open.ts';
import { openWith } from '../login/opening.ts';
import { registeredAs } from './registrar.ts';
import { sent } from '../wire/remote.ts';
import { whereSealed } from '../login/sealed-files.ts';
import { openState, type State } from '../state/state.ts';
import { statePlace, type StatePlace } from '../state/place.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../terminal/ask-passphrase.ts';
import { isOutOfSight, openSealed, ownSealed, refuseHostSealed, type Own } from './own-secrets.ts';
import { storeBegun, storeFile, storeRegistered } from './storing.ts';
import { askProof, foundAs, noService, OFTEN_HINT, refusalOf, registrationBy, withService } from './through-service.ts';

export interface SealAnew {
  readonly context: string;
  readonly event: Change['event'];
  /** How to seal it; undefined: as it is. */
  readonly seal: 'passphrase' | 'host' | undefined;
  /** How many new recovery codes; undefined: those that are there stay. */
  readonly recovery: number | undefined;
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
}

/** What came of it, given out before the new file takes its place. */
export interface SealedAgain {
  readonly id: string;
  readonly file: string;
  readonly seal: 'passphrase' | 'host';
  /** The new recovery codes, which are shown once. */
  readonly recovery: readonly string[];
}

/** Gives a result out that nobody could have again, before the new file takes its place. */
type Hand = (done: SealedAgain) => void;

/** Throws `refused` where there is nothing to seal anew, or the proof is none; then nothing was changed. */
export async function sealAnew(own: Own, what: SealAnew, hand: Hand = () => undefined): Promise<SealedAgain> {
  const { config, user } = own;
  const place = withOpenedKey(statePlace(config, user), config);
  const socket = place.kind === 'user' ? presentSocket(config, user) : undefined;
  if (isOutOfSight(own, what.context)) {
    if (socket === undefined) throw noService(own.user, what.context);
    return await throughService(own, socket, undefined, what, hand);
  }
  const old = await ownSealed(own, what.context);
  // A passphrase may be of a secret that logs in nowhere; everything else is of a login.
  const held = socket !== undefined && (old.seal.kind === 'host' || what.event !== 'passphrase' || config.contexts.includes(what.context));
  return held ? await throughService(own, socket, old, what, hand) : await here(own, place, old, what, hand);
}

async function here(own: Own, place: StatePlace, old: SealedFile, what: SealAnew, hand: Hand): Promise<SealedAgain> {
  if (place.kind === 'user') refuseHostSealed(old);
  if (place.kind === 'user' && what.seal === 'host') throw noHost();
  const state = await asUser(place.owner, () => openState(place, own.now, { create: false }));
  try {
    const passphrase = await presentPassphrase(own, old, what);
    const payload = passphrase === undefined ? openByHost(old, state) : openSealed(old, passphrase);
    try {
      const change = { ...what, passphrase: await passphraseToSealWith(own, old, what, passphrase) };
      return await stored(own, { place, state }, old, { payload, change }, hand);
    } finally {
      payload.secret.fill(0);
    }
  } finally {
    state?.store.close();
  }
}

async function stored(
  { config, user, now }: Own,
  { place, state }: { place: StatePlace; state: State | undefined },
  old: SealedFile,
  { payload, change }: { payload: Payload; change: Change },
  hand: Hand,
): Promise<SealedAgain> {
  const { context } = old;
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  const status = await asUser(place.owner, () =>
    state?.store.exclusively((transaction) => registeredAs(transaction, origin, registrationOf(old))),
  );
  if (status !== 'active' && change.event !== 'passphrase') throw noLogin(context, user.name);
  // What is not registered, or where we do not reach, must keep its id.
  const anew = sealedAnew(old, payload, change, { keepsId: status !== 'active', hostKey: state?.hostKey, nowMs: now() });
  const target = { config, user, file: whereSealed(config, place, user, context), bytes: printSealedFile(anew.file) };
  const done = { id: anew.file.id, file: target.file, seal: anew.file.seal.kind, recovery: anew.codes };
  if (state === undefined || status !== 'active') {
    await storeFile(target);
    return done;
  }
  const enrolment = { origin, ...registrationOf(anew.file), state: anew.state, event: change.event, replace: true };
  await storeRegistered({ ...target, place, state, enrolment }, () => {
    hand(done);
  });
  return done;
}

async function throughService(own: Own, socket: string, old: SealedFile | undefined, what: SealAnew, hand: Hand): Promise<SealedAgain> {
  const { config, user, now } = own;
  const found = foundAs(old);
  return await withService(user, socket, async (ask) => {
    const passphrase = await presentPassphrase(own, old, what);
    const { event, recovery } = what;
    const change: Change = { event, recovery, passphrase: await passphraseToSealWith(own, old, what, passphrase) };
    // Last of all: a code does not wait until somebody has thought of a passphrase.
    const conversation = openConversation(patience(now));
    const readings = await askProof(found, conversation, '', passphrase).finally(() => {
      conversation.close();
    });
    const answer = await ask({ step: 'change', ...sent({ context: what.context, found }), readings, change });
    if (answer.kind !== 'anew') throw refusalOf(answer, { not_permitted: OFTEN_HINT });
    const bytes = Buffer.from(answer.file);
    const { id, seal } = parseSealedFile(bytes);
    const target = { config, user, file: whereSealed(config, statePlace(config, user), user, what.context), bytes };
    const done = { id, file: target.file, seal: seal.kind, recovery: answer.recovery };
    await storeBegun(target, registrationBy(ask), () => {
      hand(done);
    });
    return done;
  });
}

/** The passphrase that the file is sealed with; undefined where it is the host. */
async function presentPassphrase(
  { now }: Own,
  old: SealedFile | undefined,
  { context, passphraseFile }: SealAnew,
): Promise<string | undefined> {
  return (old?.seal.kind ?? 'host') === 'host'
    ? undefined
    : await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, patience(now));
}

/** The passphrase to seal with; undefined: the key of the host. */
async function passphraseToSealWith(
  { now, config }: Own,
  old: SealedFile | undefined,
  what: SealAnew,
  present: string | undefined,
): Promise<string | undefined> {
  if ((what.seal ?? old?.seal.kind ?? 'host') === 'host') return undefined;
  if (config.secretsInStore && old?.seal.kind !== 'passphrase')
    throw new NotpError(
      'not_permitted',
      'the store keeps what is sealed by a key of the host alone (secrets = "store")',
      'leave out --seal',
    );
  if (what.event !== 'passphrase' && present !== undefined && what.newPassphraseFile === undefined) return present;
  return await givenNewPassphrase(what.newPassphraseFile, patience(now));
}

function openByHost(old: SealedFile, state: State | undefined): Payload {
  const payload = openWith(old, undefined, state?.hostKey);
  if (payload !== undefined) return payload;
  throw new NotpError('bad_secret_file', `${old.context} does not open`);
}

function noHost(): NotpError {
  return new NotpError(
    'not_permitted',
    'a host-sealed secret needs root and the system user notp',
    'ask an administrator to run notp-enroll for you',
  );
}

function noLogin(context: string, user: string): NotpError {
  return new NotpError('refused', `${context} is not what ${user} logs in with here`, 'notp list shows what there is');
}
