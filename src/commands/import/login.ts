/**
 * Imports one login of another module: seals the secret and registers it with the codes that were used, so that none of them
 * works again.
 */
import { issuerFor } from '../../enrolment/plan.ts';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { cutAccount } from '../../otp/names.ts';
import { keptRecoveryCodes } from '../../otp/recovery.ts';
import type { CredentialNames, Credential } from '../../otp/uri.ts';
import type { Target } from './login-plan.ts';
import { printSealedFile, registrationOf } from '../../seal/file.ts';
import type { Payload, TokenNames } from '../../seal/seal.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { complete, firstState, type NewEnrolment } from '../../enrolment/registrar.ts';
import type { State } from '../../state/state.ts';
import { NO_UID } from '../../store/store.ts';
import { newId, sealPayload } from '../../enrolment/sealing.ts';
import { marksIn, marksOf, type Marks } from './marks.ts';
import { findOtherDevices } from './other-devices.ts';
import { startState, type ImportedSecret, type StartState } from './used-before.ts';
import { storeRegistered } from '../../enrolment/storing.ts';

/** A login as the other module had it. */
export interface ForeignLogin {
  readonly credential: Credential;
  /** Emergency codes that still work. */
  readonly emergency: readonly string[];
  /** The last step whose code was used; for HOTP the counter says it. */
  readonly lastStep: number | undefined;
  /** One line for each thing that is not carried over. */
  readonly notes: readonly string[];
  /** Of a hardware token. */
  readonly token?: TokenNames | undefined;
}

/** A hardware token in a record: its serial number, and the model if that is known. */
function tokenInWords({ serial, model }: TokenNames): string {
  return `token ${serial}${model === '' ? '' : ` (${model})`}`;
}

/** `credential` with issuer and account like those of an enrolment, for a later export to another phone. */
export function withLabels(credential: Credential, { name }: User, config: Config, given: Partial<CredentialNames> = {}): Credential {
  return { ...credential, issuer: issuerFor(given.issuer ?? '', config), account: given.account ?? cutAccount(`${name}@${hostname()}`) };
}

/** Completes an enrolment that was interrupted after its file was in place. */
export async function completeLogin({ place, origin }: Target, state: State, id: string): Promise<void> {
  await asUser(place.owner, () => complete(state, { origin, id }));
}

export interface Storing {
  readonly passphrase: string | undefined;
  /** The passphrase that may open other devices of the account, if it is a different one. */
  readonly opening?: string | undefined;
  readonly replace: boolean;
  /** The id of the registered file, if it was opened and holds another secret; undefined: unknown. */
  readonly otherThan: string | undefined;
}

export interface Stored {
  readonly id: string;
  /** One line for each change that an earlier enrolment made necessary. */
  readonly notes: readonly string[];
  /** How many emergency codes still work. */
  readonly left: number;
}

/** Seals with `passphrase`, or else with the host key, and registers. If it throws, nothing was changed. */
export async function storeLogin(
  target: Target,
  state: State,
  foreign: ForeignLogin,
  { passphrase, opening, replace, otherThan }: Storing,
): Promise<Stored> {
  const { origin, now, config } = target;
  const { credential, emergency, lastStep = -1, token } = foreign;
  const marks = marksOf(foreign, state.hostKey);
  const others = await findOtherDevices(target, state, { credential, marks, passphrase: passphrase ?? opening });
  const chosen = await chosenMarks(target, state, marks);
  const id = chosen.idFor(newId());
  const secret: ImportedSecret = { credential, marks, chosen, id, others, otherThan };
  const payload: Payload = { ...credential, recovery: keptRecoveryCodes(emergency, randomBytes), token };
  const sealed = sealPayload(target, payload, passphrase, state, id);
  const first = firstState(config.policy, emergency.length, now(), credential);
  const asForeign = { ...first, lastStep: credential.type === 'hotp' ? credential.counter - 1 : lastStep };
  let start: StartState = { state: asForeign, notes: [] };
  const goOn: NewEnrolment['goOn'] = async (fresh, before) => {
    start = await startState(target, secret, fresh, before);
    return start.state;
  };
  const enrolment = {
    origin,
    ...registrationOf(sealed),
    state: asForeign,
    goOn,
    event: 'import',
    detail: token && tokenInWords(token),
    replace,
  } as const;
  await storeRegistered({ ...target, enrolment, bytes: printSealedFile(sealed), state }, () => undefined);
  return { id: sealed.id, notes: start.notes, left: recoveryLeft(start.state) };
}

/** The marks by which the store knows the secret, perhaps by an earlier host key; those by the present one where it does not know it. */
async function chosenMarks({ place, origin: { uid = NO_UID } }: Target, { store }: State, marks: readonly Marks[]): Promise<Marks> {
  const imports = await asUser(place.owner, () => store.exclusively((transaction) => transaction.imports(uid, marksIn(marks))));
  const chosen = marks.find(({ mark }) => imports.some((each) => each.mark === mark && each.doubt === undefined)) ?? marks[0];
  if (chosen === undefined) throw new Error('there is no key to make a mark with');
  return chosen;
}
