/** Choosing the verifier of a door, and refusing where none can be chosen. */
import { existsSync } from 'node:fs';
import { appendLogin, appendUnlinked, newRef } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { defaultConfig, expand, type Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, type DeviceFile } from '../system/secrets.ts';
import { realUser, SERVICE_USER, userByName, type User } from '../system/users.ts';
import type { Reason } from '../verdict/reasons.ts';
import { accountContexts } from './account.ts';
import { localVerifier } from './login.ts';
import type { Judge } from '../wire/judge.ts';
import { connectForEach, refuseOver, remoteVerifier } from '../wire/remote.ts';
import { auditLog, makeLogFolder, withPresentState } from '../state/state.ts';
import { statePlace } from '../state/place.ts';
import type { Outcome, Verifier } from '../wire/verifier.ts';

export interface OpenOptions {
  readonly config: Config;
  /** The devices that may answer; at least one, and that of `origin` first. */
  readonly contexts: readonly string[];
  /** Whose sealed file; undefined for a name that is nobody's: every outcome is `not_enrolled` then. */
  readonly user: User | undefined;
  readonly origin: Origin;
  /** The judge of the PAM door, where it decides and nobody else. */
  readonly judge?: Judge | undefined;
  readonly now: () => number;
}

/**
 * The verifier for `user`: as that user it reads their sealed file. At the PAM door the judge decides where there is one, at the
 * others the service behind the user's socket; else whoever runs this, on the state that they may use.
 */
export async function openVerifier({ config, contexts, user, origin, judge, now }: OpenOptions): Promise<Verifier> {
  const absent = (): DeviceFile[] => contexts.map((context) => ({ context, found: { kind: 'absent' } }));
  const files = user === undefined || config.secretsInStore ? absent() : await asUser(user, () => findDevices(config, user, contexts));
  if (judge !== undefined) return judge.verifier(files);
  const refuse = (reason: Reason, detail: string): Promise<Outcome> => recordRefusal({ config, origin, reason, detail }, now);
  const socket = user === undefined || origin.door === 'pam' ? undefined : socketOf(config, user);
  if (socket !== undefined && existsSync(socket)) return remoteVerifier({ wire: connectForEach(socket), origin, files, refuse });
  const place = statePlace(config, user ?? realUser());
  const missing = user === undefined ? undefined : missingSocket(config, user);
  if (missing !== undefined && origin.door === 'gate') {
    // Whom root enrols has a sealed file, unless the store keeps those.
    const isUnknown = !config.secretsInStore && files.every(({ found }) => found.kind === 'absent');
    const [reason, what] = isUnknown ? (['not_enrolled', ', and no sealed file'] as const) : (['store_unavailable', ''] as const);
    return refusingVerifier(() => refuse(reason, `there is no ${missing}${what}: an administrator must enrol you (notp-enroll)`));
  }
  // The user's own state does not know who is enrolled with a service: they must not get in by a door that cannot see it.
  const knowsAll = place.kind === 'service' || (files.every(({ found }) => found.kind === 'absent') && socket === undefined);
  const mayBeLetIn = user !== undefined && origin.door !== 'cli' && config.unenrolled === 'allow' && knowsAll;
  // With the service nobody enrols without an invitation.
  const mayEnrol = origin.door === 'gate' && config.unenrolled === 'enroll' && place.kind === 'user';
  return localVerifier(
    { files, account: accountContexts(config, contexts), origin },
    {
      place,
      inStore: config.secretsInStore && place.kind === 'service',
      policy: config.policy,
      unenrolled: mayBeLetIn ? 'allow' : mayEnrol ? 'enroll' : 'deny',
      trustMs: 0,
      mayFallBack: true,
      now,
    },
  );
}

/** The user's socket where it is there. */
export function presentSocket(config: Config, user: User): string | undefined {
  const socket = socketOf(config, user);
  return socket !== undefined && existsSync(socket) ? socket : undefined;
}

/**
 * The socket that `user` lacks, where the service's state judges their logins and whoever runs this cannot see it without: what their own
 * state says of a login counts for nothing then. Undefined where it is there, or where this process may see what judges.
 */
export function missingSocket(config: Config, user: User): string | undefined {
  const socket = statePlace(config, user).kind === 'user' ? socketOf(config, user) : undefined;
  return socket !== undefined && !existsSync(socket) ? socket : undefined;
}

/** Where the user's socket would be; undefined where there is no service whose state decides. */
function socketOf(config: Config, user: User): string | undefined {
  return config.store.kind === 'user' || userByName(SERVICE_USER) === undefined ? undefined : expand(config.socket, user);
}

/** What a missing socket comes to: the user's own state must not stand in for the service's. */
function refusingVerifier(refuse: () => Promise<Outcome>): Verifier {
  return { seal: 'host', beforeAsking: refuse, verify: refuse, close: () => undefined };
}

export interface Refusal {
  /** Where to record; undefined where the configuration is what is broken: then where the defaults say. */
  readonly config: Config | undefined;
  readonly origin: Origin;
  readonly reason: Reason;
  readonly detail: string;
}

/** Refuses at the gate before there is a verifier: the service behind the user's socket records it, or where there is none this process. */
export async function refuseAtGate(user: User, refusal: Refusal, now: () => number): Promise<Outcome> {
  const { config = defaultConfig(), origin, reason, detail } = refusal;
  const socket = presentSocket(config, user);
  if (socket === undefined) return await recordRefusal(refusal, now);
  const told = { account: undefined, origin, reason, detail };
  const { ref } = await refuseOver(connectForEach(socket), told, (why) => recordRefusal({ ...refusal, detail: why }, now));
  // What is broken is told to the person, too, and by this side: the service has another view of it.
  return { verdict: { result: 'refused', reason, detail }, ref };
}

/** Refuses before there is a verifier, and records it: in the chain where the state can be opened, else as well as can be. */
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
        // Whoever has no home has the journal at the most.
      }
      return await appendUnlinked(auditLog(place, now), record, { required: false });
    }
  });
  return { verdict: { result: 'refused', reason, detail }, ref };
}
