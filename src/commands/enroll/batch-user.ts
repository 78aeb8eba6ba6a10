/** Enrols one user of a batch. The order (pending, hand-out, sealed file, complete) lets an interrupted batch continue. */
import { hostname } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { NotpError } from '../../error.ts';
import { otpauthUri } from '../../otp/uri.ts';
import { printSealedFile, registrationOf, type SealedFile } from '../../seal/file.ts';
import type { TotpPayload } from '../../seal/seal.ts';
import { printResult } from '../../terminal/printer.ts';
import { asOwner, asUser } from '../../system/privileges.ts';
import { findSealed } from '../../system/secrets.ts';
import { complete, firstState, invite } from '../../enrolment/registrar.ts';
import { fileAmong } from '../../login/sealed-files.ts';
import { newPayload, sealPayload } from '../../enrolment/sealing.ts';
import type { State } from '../../state/state.ts';
import { statusToBe } from '../../store/enrolment.ts';
import type { Enrolment } from '../../store/store.ts';
import type { Person } from './batch-list.ts';
import { nextFor, type Next, type Outcome, type Seen } from './batch-next.ts';
import { planFor, type Batch } from './batch-plan.ts';
import { type Plan, wanted } from '../../enrolment/plan.ts';
import { jsonOf } from '../../enrolment/show.ts';
import { handoutText } from './handout-text.ts';
import { handoutOf, imageName, removeHandout, writeHandout, type Image } from './handouts.ts';
import { concernsOne } from '../one-by-one.ts';
import { drawQr, qrImage } from '../../terminal/qr.ts';
import { storeRegistered } from '../../enrolment/storing.ts';

/** Enrols one user, or finds nothing to do. Throws only errors that concern all users. */
export async function enrolOne(batch: Batch, state: State, { user }: Person): Promise<Outcome> {
  const plan = planFor(batch, user);
  const next = await nextStep(batch, plan);
  if (next.do === 'make') {
    if (next.remnant && batch.folder !== undefined) removeHandout(batch.folder, user.name);
    return await makeEnrolment(batch, state, plan);
  }
  const { pendingId: id, outcome } = next;
  if (id !== undefined) await asUser(batch.place.owner, () => complete(state, { origin: plan.origin, id }));
  return outcome;
}

/** Invites one user to enrol alone. */
export async function inviteOne(batch: Batch, state: State, { user }: Person): Promise<Outcome> {
  const { origin } = planFor(batch, user);
  const enrolment = batch.known.get(user.name);
  if (enrolment?.status === 'invited' && enrolment.doubt === undefined) return { kind: 'made before' };
  if (isEnrolled(enrolment)) return { kind: 'already' };
  await asUser(batch.place.owner, () => invite(state, origin, batch.config.policy, batch.now()));
  return { kind: 'made' };
}

/** Prints what the batch would do for one user. Changes nothing. */
export async function printForecast(batch: Batch, { user }: Person): Promise<Outcome> {
  const { outcome, would } = await forecast(batch, planFor(batch, user));
  const { context, json } = batch.options.each;
  printResult(json ? `${JSON.stringify({ user: user.name, context, would })}\n` : `${user.name}: ${would}\n`);
  return outcome;
}

async function forecast(batch: Batch, plan: Plan): Promise<{ outcome: Outcome; would: string }> {
  if (batch.options.each.pending) {
    const enrolment = batch.known.get(plan.user.name);
    const registered = isEnrolled(enrolment);
    return { outcome: { kind: registered ? 'already' : 'made' }, would: registered ? 'leave' : 'invite' };
  }
  const next = await nextStep(batch, plan);
  if (next.do === 'leave') return { outcome: next.outcome, would: 'leave' };
  return { outcome: { kind: 'made' }, would: next.replaces ? 'replace' : 'enrol' };
}

/** Whether the enrolment logs in, or may do so: an interrupted one may already have its file in place. */
function isEnrolled(enrolment: Enrolment | undefined): boolean {
  if (enrolment === undefined || statusToBe(enrolment) !== 'active') return false;
  return enrolment.id !== '' || enrolment.pendingId !== '';
}

async function nextStep(batch: Batch, plan: Plan): Promise<Next> {
  return nextFor(await readSeen(batch, plan), plan.options);
}

async function readSeen({ config, known, kept, folder }: Batch, { user, origin }: Plan): Promise<Seen> {
  const { context } = origin;
  const found =
    kept === undefined
      ? await asOwner(
          user,
          () => findSealed(config, user, context),
          ({ kind }) => kind !== 'bad',
        )
      : fileAmong(kept.get(user.name), user.name, context);
  return { found, enrolment: known.get(user.name), handout: folder === undefined ? undefined : handoutOf(folder, user.name) };
}

async function makeEnrolment(batch: Batch, state: State, plan: Plan): Promise<Outcome> {
  const { payload, codes } = newPayload(wanted(plan));
  const uri = uriOf(payload);
  if (uri === undefined)
    return { kind: 'failed', why: 'issuer and account are too long for an otpauth URI: shorten --account or --issuer' };
  const sealed = sealPayload(plan, payload, undefined, state);
  const first = firstState(plan.config.policy, codes.length, plan.now(), payload);
  const enrolment = { origin: plan.origin, ...registrationOf(sealed), state: first, replace: plan.options.replace };
  const { folder } = batch;
  const taken: { error?: Error } = {};
  const hand = (): void => {
    try {
      handOver(batch, plan, sealed, { credential: payload, uri, recovery: codes });
    } catch (error) {
      taken.error = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  };
  try {
    await storeRegistered({ ...plan, enrolment, bytes: printSealedFile(sealed), state }, hand, () => {
      if (folder !== undefined) removeHandout(folder, plan.user.name);
    });
    return { kind: 'made' };
  } catch (error) {
    if (taken.error !== undefined) throw taken.error;
    if (!concernsOne(error)) throw error;
    return { kind: 'failed', why: error.message };
  } finally {
    payload.secret.fill(0);
  }
}

/** The URI; undefined if the names are so long that no phone could read it. */
function uriOf(credential: TotpPayload): string | undefined {
  try {
    return otpauthUri(credential);
  } catch (error) {
    if (error instanceof NotpError) return undefined;
    throw error;
  }
}

interface Secrets {
  readonly credential: TotpPayload;
  readonly uri: string;
  readonly recovery: readonly string[];
}

/** Gives out the secret: writes the hand-out, prints the JSON line, or both. */
function handOver({ folder, options }: Batch, plan: Plan, { id, created }: SealedFile, { credential, uri, recovery }: Secrets): void {
  const { user, context } = plan.origin;
  if (folder !== undefined) {
    const image = imageOf(user, uri, options.image);
    const drawing = drawingOf(uri, plan);
    const facts = { id, user, context, host: hostname(), created, credential, uri, recovery, drawing, image: image?.name };
    writeHandout(folder, user, handoutText(facts), image);
  }
  if (options.each.json) printResult(jsonOf(plan, id, credential, uri, recovery));
}

function imageOf(user: string, uri: string, kind: Batch['options']['image']): Image | undefined {
  return kind === 'none' ? undefined : { name: imageName(user, kind), bytes: qrImage(uri, kind) };
}

/** The QR code as text, for white paper: without the colours that a terminal needs, unless --qr ansi asks for them. */
function drawingOf(uri: string, { options }: Plan): string {
  const style = options.qr ?? 'unicode';
  return style === 'ansi' ? drawQr(uri, style) : stripVTControlCharacters(drawQr(uri, style));
}
