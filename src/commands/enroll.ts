/**
 * `notp enroll`, `notp-enroll`: a new secret for a login. It is shown, confirmed with a code, sealed, registered,
 * and only then does it take the place of an earlier one: whatever fails before leaves that one working.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { isatty } from 'node:tty';
import type { Origin } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import { matchingSteps, secretLength, stepAt, stepsAround, toBase32, type CodeParameters } from '../otp/code.ts';
import { contextName } from '../otp/names.ts';
import { parseProof } from '../otp/proof.ts';
import { newRecoveryCodes } from '../otp/recovery.ts';
import { groupedKey, otpauthUri, type Account } from '../otp/uri.ts';
import { NONCE_BYTES, printSealedFile, SALT_BYTES, type SealedHeader } from '../seal/file.ts';
import { DEFAULT_KDF, hostSealKey, passphraseKey } from '../seal/keys.ts';
import type { Payload } from '../seal/payload.ts';
import { seal } from '../seal/seal.ts';
import type { Config } from '../system/config.ts';
import { openConversation, type Conversation } from '../system/conversation.ts';
import { printResult, say, sayError, sayHint } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { makeSecretsFolder, sealedPath } from '../system/secrets.ts';
import { onEndingSignals } from '../system/signals.ts';
import { writeNew } from '../system/trusted.ts';
import { isRoot, realUid, realUser, userByName, type User } from '../system/users.ts';
import { openState, statePlace, type State, type StatePlace } from '../verifier/state.ts';
import { isRegistered } from '../verifier/registrar.ts';
import { store } from './enroll-store.ts';
import { askNewPassphrase, passphraseFromFile } from './passphrase.ts';
import { drawQr, qrImage, type QrStyle } from './qr.ts';

export interface EnrollOptions extends Account, CodeParameters {
  readonly user: string | undefined;
  readonly context: string;
  readonly seal: 'host' | 'passphrase' | undefined;
  readonly recovery: number;
  readonly replace: boolean;
  readonly confirm: boolean;
  readonly qr: QrStyle | undefined;
  readonly qrFile: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly json: boolean;
}

/** What an enrolment is about, settled before anything is shown. */
interface Plan {
  readonly config: Config;
  readonly options: EnrollOptions;
  readonly user: User;
  readonly place: StatePlace;
  readonly origin: Origin;
  readonly sealKind: 'host' | 'passphrase';
  readonly file: string;
  readonly now: () => number;
}

/** How long a person may take to find the phone and scan. */
const PATIENCE_MS = 10 * 60_000;
const CONFIRM_TRIES = 3;
const CONFIRM_WINDOW = 1;

/** The exit code is 0 when the enrolment is complete. */
export async function enroll(config: Config, options: EnrollOptions, now: () => number): Promise<number> {
  const plan = planned(config, options, now);
  const state = await asUser(plan.place.owner, () => openForEnrolment(plan));
  const waiting = { deadlineMs: now() + PATIENCE_MS, interrupt: onEndingSignals() };
  const conversation = openConversation(waiting);
  try {
    await refuseExisting(plan, state);
    const passphrase = plan.sealKind === 'passphrase' ? await choosePassphrase(options, conversation, waiting) : undefined;
    const { payload, codes } = newPayload(plan);
    const uri = otpauthUri(payload.secret, payload, payload);
    const image = options.qrFile === undefined ? undefined : writeImage(uri, options.qrFile);
    try {
      show(plan, payload, uri);
      if (options.confirm) await confirm(conversation, payload, now);
      await sealAndStore(plan, state, { payload, codes, uri, passphrase });
    } catch (error) {
      if (image !== undefined) rmSync(image, { force: true });
      throw error;
    }
    tellNext(plan, image);
    return 0;
  } finally {
    conversation.close();
    state.store.close();
  }
}

interface Confirmed {
  readonly payload: Payload;
  readonly codes: readonly string[];
  readonly uri: string;
  readonly passphrase: string | undefined;
}

async function sealAndStore(plan: Plan, state: State, { payload, codes, uri, passphrase }: Confirmed): Promise<void> {
  const { options, config } = plan;
  const sealed = sealPayload(plan, payload, passphrase, state);
  const output = options.json ? jsonOf(plan, sealed.id, payload, uri, codes) : textOf(codes);
  const enrolment = { id: sealed.id, bytes: printSealedFile(sealed), replace: options.replace, recoveryCodes: codes.length };
  await store({ ...plan, ...enrolment, state, policy: config.policy }, () => {
    printResult(output);
  });
  payload.secret.fill(0);
}

function planned(config: Config, options: EnrollOptions, now: () => number): Plan {
  const context = contextName(options.context);
  const self = realUser();
  const user = options.user === undefined || options.user === self.name ? self : userByName(options.user);
  if (user === undefined)
    throw new NotpError('usage', `there is no user ${JSON.stringify(options.user)}`, 'getent passwd lists those there are');
  if (user.uid !== realUid() && !isRoot())
    throw new NotpError('not_permitted', 'only root can enrol somebody else', `sudo notp-enroll ${user.name}`);
  const kind = options.seal ?? (isRoot() ? 'host' : 'passphrase');
  const place = statePlace(config, user);
  if (kind === 'host' && place.kind !== 'service') {
    throw new NotpError(
      'not_permitted',
      'a host-sealed secret needs root and the system user notp',
      'use --seal passphrase, or ask an administrator to run notp-enroll for you',
    );
  }
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  return { config, options, user, place, origin, sealKind: kind, file: sealedPath(config, user, context), now };
}

function openForEnrolment({ place, sealKind, config, user, now }: Plan): State {
  if (place.kind === 'user') makeSecretsFolder(config, user);
  const state = openState(place, now, { create: true });
  if (state === undefined) throw new NotpError('store_unavailable', `${place.database} cannot be made`);
  if (sealKind === 'passphrase' || state.hostKey !== undefined) return state;
  state.store.close();
  throw new NotpError('failed', `there is no host key at ${config.hostKey}`, 'run notp host-key init once on this host');
}

async function refuseExisting({ options, origin, place }: Plan, state: State): Promise<void> {
  if (options.replace || !(await asUser(place.owner, () => isRegistered(state, origin)))) return;
  throw new NotpError(
    'refused',
    `${origin.user} is enrolled for ${origin.context} already`,
    'give --replace to replace that enrolment; it works until the new one is confirmed',
  );
}

async function choosePassphrase(
  options: EnrollOptions,
  conversation: Conversation,
  waiting: Parameters<typeof passphraseFromFile>[1],
): Promise<string> {
  if (options.passphraseFile !== undefined) return await passphraseFromFile(options.passphraseFile, waiting);
  return await askNewPassphrase(conversation);
}

function newPayload({ options, config }: Plan): { payload: Payload; codes: string[] } {
  const { algorithm, digits, periodSeconds, account } = options;
  const issuer = [options.issuer, config.code.issuer, os.hostname()].find((name) => name !== '') ?? '';
  const { codes, kept } = newRecoveryCodes(options.recovery, randomBytes);
  const secret = new Uint8Array(randomBytes(secretLength(algorithm)));
  return { payload: { secret, algorithm, digits, periodSeconds, issuer, account, recovery: kept }, codes };
}

/** The QR code, the key and the URI: the result on stdout, but beside JSON only what was asked for, on stderr. */
function show({ options }: Plan, payload: Payload, uri: string): void {
  const style = options.qr ?? (options.json ? 'none' : isatty(1) ? 'unicode' : 'ascii');
  const drawing = drawQr(uri, style);
  const text = `${drawing}\nKey: ${groupedKey(payload.secret)}\nURI: ${uri}\n\n`;
  if (!options.json) printResult(text);
  else if (options.confirm || style !== 'none') say(text);
}

async function confirm(conversation: Conversation, payload: Payload, now: () => number): Promise<void> {
  say('Scan the QR code with your phone, then type the code that it shows.\n');
  for (let left = CONFIRM_TRIES; left > 0; left--) {
    const answer = await conversation.ask('One-time code: ', { hidden: false });
    if (!('line' in answer)) break;
    if (isRight(answer.line, payload, now())) return;
    sayError('that is not the code of the new secret', 'check the clock of the phone and of this machine, or wait for the next code');
  }
  throw new NotpError('refused', 'the new secret was not confirmed', 'nothing was changed; an earlier enrolment goes on working');
}

function isRight(typed: string, payload: Payload, nowMs: number): boolean {
  const proof = parseProof(typed);
  if (proof?.kind !== 'code') return false;
  const steps = stepsAround(stepAt(nowMs, payload.periodSeconds), CONFIRM_WINDOW);
  return matchingSteps(payload.secret, proof.code, steps, payload).length > 0;
}

function sealPayload(plan: Plan, payload: Payload, passphrase: string | undefined, { hostKey }: State): ReturnType<typeof seal> {
  const id = randomBytes(16).toString('hex');
  const created = new Date(plan.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  const base = { id, user: plan.user.name, context: plan.origin.context, created };
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  const [header, key] = headerAndKey(base, passphrase, hostKey);
  try {
    return seal(header, payload, key, nonce);
  } finally {
    key.fill(0);
  }
}

function headerAndKey(
  base: Omit<SealedHeader, 'seal'>,
  passphrase: string | undefined,
  hostKey: State['hostKey'],
): [SealedHeader, Uint8Array] {
  if (passphrase !== undefined) {
    const sealing = { kind: 'passphrase', ...DEFAULT_KDF, salt: new Uint8Array(randomBytes(SALT_BYTES)) } as const;
    return [{ ...base, seal: sealing }, passphraseKey(passphrase, sealing)];
  }
  if (hostKey === undefined) throw new NotpError('failed', 'there is no host key');
  return [{ ...base, seal: { kind: 'host', key: hostKey.id } }, hostSealKey(hostKey.key, base.id)];
}

function writeImage(uri: string, file: string): string {
  const kind = path.extname(file).toLowerCase();
  if (kind !== '.png' && kind !== '.svg') throw new NotpError('usage', `${file}: --qr-file must end in .png or .svg`);
  try {
    writeNew(file, qrImage(uri, kind === '.png' ? 'png' : 'svg'));
    return file;
  } catch (error) {
    throw new NotpError('failed', messageOf(error), '--qr-file overwrites nothing; name a file that is not there');
  }
}

function textOf(codes: readonly string[]): string {
  if (codes.length === 0) return '';
  const lines = codes.map((code) => `  ${code}\n`).join('');
  return `Recovery codes, for the day the phone is lost. Each works once; they are not shown again:\n${lines}`;
}

function jsonOf(plan: Plan, id: string, payload: Payload, uri: string, recovery: readonly string[]): string {
  const { user, context } = plan.origin;
  return (
    JSON.stringify({ id, user, context, seal: plan.sealKind, file: plan.file, uri, secret: toBase32(payload.secret), recovery }) + '\n'
  );
}

function tellNext({ origin, file }: Plan, image: string | undefined): void {
  say(`Enrolled ${origin.user} for ${origin.context}: ${file}\n`);
  if (image !== undefined) sayHint(`${image} holds the secret: delete it when it is scanned`);
  sayHint('keep this session open and try a new login before you close it');
}
