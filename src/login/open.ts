/** Chooses the verifier of a door, and refuses where there is none. */
import { existsSync } from 'node:fs';
import { appendLogin, appendUnlinked, newRef } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { defaultConfig, expand, isMember, thisHost, type Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, type DeviceFile } from '../system/secrets.ts';
import { realUser, SERVICE_USER, userByName, type User } from '../system/users.ts';
import type { Reason } from '../verdict/reasons.ts';
import { accountContexts } from './account.ts';
import { localVerifier } from './login.ts';
import { areStored, rulesAt } from './ruling.ts';
import { connectForEach, refuseOver, remoteVerifier, type Judge } from '../wire/remote.ts';
import { auditLog, makeLogFolder, withPresentState } from '../state/state.ts';
import { statePlace } from '../state/place.ts';
import type { Circumstances, Outcome, Verifier } from '../wire/verifier.ts';

export interface OpenOptions {
  readonly config: Config;
  /** The contexts of the devices that may answer: at least one, the one of `origin` first. */
  readonly contexts: readonly string[];
  /** The owner of the sealed file; undefined for an unknown name, for which every outcome is `not_enrolled`. */
  readonly user: User | undefined;
  readonly origin: Origin;
  readonly circumstances: Circumstances;
  /** The judge of the PAM door. Where there is one it alone decides. */
  readonly judge?: Judge | undefined;
  readonly now: () => number;
}

/**
 * The verifier for `user`, whose sealed file is read as that user. The judge decides at the PAM door where there is one, and the
 * service behind the user's socket at the others. Otherwise this process decides, on the state that its user may read.
 */
export async function openVerifier({ config, contexts, user, origin, circumstances, judge, now }: OpenOptions): Promise<Verifier> {
  const absent = (): DeviceFile[] => contexts.map((context) => ({ context, found: { kind: 'absent' } }));
  const files = user === undefined || config.secretsInStore ? absent() : await asUser(user, () => findDevices(config, user, contexts));
  if (judge !== undefined) return judge.verifier(files, circumstances);
  const refuse = (reason: Reason, detail: string): Promise<Outcome> => recordRefusal({ config, origin, reason, detail }, now);
  const socket = user === undefined || origin.door === 'pam' ? undefined : socketOf(config, user);
  if (socket !== undefined && existsSync(socket))
    return remoteVerifier({ wire: connectForEach(socket), origin, files, circumstances, refuse });
  if (isMember(config)) {
    const missing =
      origin.door === 'pam' ? `${config.judge}: systemctl enable --now notp-judge.socket` : `${socket ?? 'socket'}: ${ENABLE_SOCKET}`;
    return refusingVerifier(() =>
      refuse('store_unavailable', `the service of this member of a fleet is not asked, as there is no ${missing}`),
    );
  }
  const place = statePlace(config, user ?? realUser());
  if (origin.door === 'gate' && place.kind === 'user' && socket !== undefined) {
    // Root's enrolment leaves a sealed file in the home, unless the store keeps the files.
    const isUnknown = !config.secretsInStore && files.every(({ found }) => found.kind === 'absent');
    const [reason, what] = isUnknown ? (['not_enrolled', ', and no sealed file'] as const) : (['store_unavailable', ''] as const);
    return refusingVerifier(() => refuse(reason, `there is no ${socket}${what}: an administrator must enrol you (notp-enroll)`));
  }
  // The user's own state does not know users enrolled with a service. A door that cannot see them must not take them for unenrolled.
  const knowsAll = place.kind === 'service' || (files.every(({ found }) => found.kind === 'absent') && socket === undefined);
  const rules = rulesAt(config, origin);
  // With a service nobody enrols without an invitation.
  const mayEnrol = origin.door === 'gate' && config.unenrolled === 'enroll' && place.kind === 'user';
  return localVerifier(
    { files, account: accountContexts(config, contexts), origin, circumstances },
    {
      place,
      inStore: config.secretsInStore && place.kind === 'service',
      policy: config.policy,
      unenrolled: mayEnrol ? 'enroll' : 'deny',
      rules: knowsAll ? rules : rules.map((rule) => ({ ...rule, enrolByMs: undefined })),
      rulesInStore: areStored(config, origin),
      host: thisHost(config),
      mayFallBack: true,
      now,
    },
  );
}

const ENABLE_SOCKET = 'systemctl enable --now notp@UID.socket';

/** The path of the user's socket where it exists. */
export function presentSocket(config: Config, user: User): string | undefined {
  const socket = socketOf(config, user);
  return socket !== undefined && existsSync(socket) ? socket : undefined;
}

/**
 * The path of the socket that `user` lacks. The service's state judges their logins, and this process can reach it only by the
 * socket, so the user's own state counts for nothing. Undefined where the socket exists or this process can read the service's
 * state.
 */
export function missingSocket(config: Config, user: User): string | undefined {
  const socket = statePlace(config, user).kind === 'user' ? socketOf(config, user) : undefined;
  return socket !== undefined && !existsSync(socket) ? socket : undefined;
}

/** The path of the user's socket, whether or not it exists; undefined where no service decides. */
function socketOf(config: Config, user: User): string | undefined {
  return config.store.kind === 'user' || userByName(SERVICE_USER) === undefined ? undefined : expand(config.socket, user);
}

/** Refuses always, for a missing socket: the user's own state must not stand in for the service's. */
function refusingVerifier(refuse: () => Promise<Outcome>): Verifier {
  return { seal: 'host', beforeAsking: refuse, verify: refuse, close: () => undefined };
}

export interface Refusal {
  /** The configuration that says where to record; undefined where it is broken: then the defaults say. */
  readonly config: Config | undefined;
  readonly origin: Origin;
  readonly reason: Reason;
  readonly detail: string;
}

/** Refuses at the gate before there is a verifier. The service behind the user's socket records it; without a socket this process does. */
export async function refuseAtGate(user: User, refusal: Refusal, now: () => number): Promise<Outcome> {
  const { config = defaultConfig(), origin, reason, detail } = refusal;
  const socket = presentSocket(config, user);
  if (socket === undefined) return await recordRefusal(refusal, now);
  const refused = { account: undefined, origin, reason, detail };
  const { ref } = await refuseOver(connectForEach(socket), refused, (why) => recordRefusal({ ...refusal, detail: why }, now));
  // The person reads this side's detail: the service sees the fault from another side.
  return { verdict: { result: 'refused', reason, detail }, ref };
}

/** Refuses before there is a verifier, and records it: in the chain where the state can be opened, else as well as possible. */
export async function recordRefusal({ config, origin, reason, detail }: Refusal, now: () => number): Promise<Outcome> {
  const place = statePlace(config ?? defaultConfig(), realUser());
  const record: AuditRecord = { ...origin, event: 'login.refused', result: 'refused', reason, detail, ref: newRef() };
  const ref = await asUser(place.owner, async () => {
    try {
      return await withPresentState(place, now, ({ store, log }) =>
        store.exclusively((transaction) => appendLogin(log, transaction, record)),
      );
    } catch {
      try {
        if (reason === 'not_enrolled') makeLogFolder(place);
      } catch {
        // A user without a home has only the journal.
      }
      return await appendUnlinked(auditLog(place, now), record, { required: false });
    }
  });
  return { verdict: { result: 'refused', reason, detail }, ref };
}
