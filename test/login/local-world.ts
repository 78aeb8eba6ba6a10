/** The service's state in a scratch folder, judged in this process by a clock that the tests set. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, registrationOf, type PassphraseSeal, type SealedFile } from '../../src/seal/file.ts';
import { passphraseKey } from '../../src/seal/keys.ts';
import { seal, type TotpPayload } from '../../src/seal/seal.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { realUser } from '../../src/system/users.ts';
import type { Found } from '../../src/system/secrets.ts';
import type { Policy } from '../../src/verdict/decide.ts';
import { localVerifier } from '../../src/login/login.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { begin, complete, firstState } from '../../src/enrolment/registrar.ts';
import { newHeader, newPayload, sealByHost, type Header } from '../../src/enrolment/sealing.ts';
import { withNewState, type State } from '../../src/state/state.ts';
import type { StatePlace } from '../../src/state/place.ts';
import type { Rule } from '../../src/verdict/rules.ts';
import type { Circumstances, Outcome, SshSession } from '../../src/wire/verifier.ts';
import { scratchFolder } from '../support/world.ts';

// As the program starts.
process.umask(0o077);

export const POLICY: Policy = { window: 1, budget: 5, refillMs: 3_600_000 };
export const PERIOD_MS = 30_000;
export const WANTED = { algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: 'bastion', account: 'alice', recovery: 3 } as const;
const START_MS = 1_795_000_000_000;
export const ORIGIN = { user: 'alice', uid: 1000, context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.7' } as const;

/** After a key, as at the gate. */
const BY_KEY: Circumstances = { groups: [], otherGroups: [], keyType: 'ssh-ed25519', firstFactor: true };

/** Whoever was never enrolled gets in, for the years of these tests. */
export const UNENROLLED_GET_IN = { rules: [{ ask: 'code', enrolByMs: 4_000_000_000_000, line: 1 }] } as const;

/** An accepted code counts for so long for the same key and address. */
export function remembering(rememberMs: number): { readonly rules: readonly Rule[] } {
  return { rules: [{ ask: 'code', rememberMs, line: 1 }] };
}

export interface Secret {
  readonly file: SealedFile;
  readonly payload: TotpPayload;
  readonly recovery: readonly string[];
}

export interface LocalWorld {
  readonly place: StatePlace;
  /** Unix time in milliseconds, for everything in this world. */
  nowMs: number;
  options(found: Found, other?: Partial<Login & Terms>): readonly [Login, Terms];
  /** Runs `work` on the opened state. */
  withState<T>(work: (state: State) => Promise<T>): Promise<T>;
  /** A secret of alice in a sealed file, registered as root's notp-enroll does: sealed by the host, or by `passphrase`; with a fresh secret, or that of `like`. */
  enrol(context?: string, passphrase?: string, like?: Secret): Promise<Secret>;
  enrolment(context?: string): Promise<Enrolment | undefined>;
  /** Judges `proof` on the sealed file of `secret`, or on what was found in its place, and gives the method or the reason. */
  verify(secret: Secret | Found, proof: Proof, other?: Partial<Login & Terms>, session?: SshSession, passphrase?: string): Promise<string>;
  /** What comes before asking: the method, the reason, or "ask". */
  before(secret: Secret | Found, other?: Partial<Login & Terms>, session?: SshSession): Promise<string>;
  /** A code of `secret` so many steps from now. */
  code(secret: Pick<Secret, 'payload'>, steps?: number): Proof & { kind: 'code' };
  records(): Record<string, unknown>[];
  /** Does `work` on the database, past notp. */
  database<T>(work: (opened: DatabaseSync) => T): T;
  /** Runs one statement there. */
  sql(text: string, ...values: readonly (string | number)[]): void;
}

export function localWorld(name: string): LocalWorld {
  const folder = scratchFolder(name);
  const hostKeyFile = path.join(folder, 'host.key');
  fs.writeFileSync(hostKeyFile, randomBytes(32), { mode: 0o400 });
  const auditFile = path.join(folder, 'audit.log');
  const databaseFile = path.join(folder, 'state.db');
  const place: StatePlace = {
    kind: 'service',
    owner: realUser(),
    store: { kind: 'sqlite', path: databaseFile },
    auditFile,
    journal: false,
    hostKeyFiles: [hostKeyFile],
  };
  const now = (): number => world.nowMs;
  const withState: LocalWorld['withState'] = async (work) => await withNewState(place, now, work);
  const verifier = (secret: Secret | Found, other: Partial<Login & Terms> = {}): ReturnType<typeof localVerifier> =>
    localVerifier(...world.options('kind' in secret ? secret : { kind: 'sealed', file: secret.file }, other));
  const world: LocalWorld = {
    place,
    nowMs: START_MS,
    options: (found, other = {}) => {
      const login: Login = { files: [{ context: 'ssh', found }], account: ['ssh'], origin: ORIGIN, circumstances: BY_KEY };
      const rules: Terms = { place, inStore: false, policy: POLICY, unenrolled: 'deny', rules: [], host: 'here', mayFallBack: false, now };
      return [
        { ...login, ...other },
        { ...rules, ...other },
      ];
    },
    withState,
    enrol: (context = 'ssh', passphrase, like) =>
      withState(async (state) => {
        if (state.hostKey === undefined) throw new Error('no host key');
        const { payload, codes } = like === undefined ? newPayload(WANTED) : { payload: like.payload, codes: like.recovery };
        const header = newHeader('alice', context, world.nowMs);
        const file = passphrase === undefined ? sealByHost(header, payload, state.hostKey) : sealCheaply(header, payload, passphrase);
        const origin = { ...ORIGIN, context };
        const enrolment = { origin, ...registrationOf(file), state: firstState(POLICY, codes.length, world.nowMs, payload), replace: true };
        await begin(state, enrolment, undefined);
        await complete(state, enrolment);
        return { file, payload, recovery: codes };
      }),
    enrolment: (context = 'ssh') => withState((state) => state.store.exclusively((transaction) => transaction.enrolment('alice', context))),
    verify: async (secret, proof, other, session, passphrase) => {
      const opened = verifier(secret, other);
      const outcome = await opened.verify({ readings: [{ passphrase, proof }], session });
      opened.close();
      return wordOf(outcome);
    },
    before: async (secret, other, session) => {
      const opened = verifier(secret, other);
      const outcome = await opened.beforeAsking(session);
      opened.close();
      return wordOf(outcome);
    },
    code: ({ payload }, steps = 0) => ({
      kind: 'code',
      code: codeAt(payload.secret, Math.floor(world.nowMs / PERIOD_MS) + steps, payload),
    }),
    records: () =>
      fs
        .readFileSync(auditFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    database: (work) => {
      const opened = new DatabaseSync(databaseFile);
      try {
        return work(opened);
      } finally {
        opened.close();
      }
    },
    sql: (text, ...values) => {
      world.database((opened) => void opened.prepare(text).run(...values));
    },
  };
  return world;
}

/** Sealed by a passphrase at the lowest cost. */
function sealCheaply(header: Header, payload: TotpPayload, passphrase: string): SealedFile {
  const sealing: PassphraseSeal = { kind: 'passphrase', m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES, p: 1, salt: randomBytes(16) };
  return seal({ ...header, seal: sealing }, payload, passphraseKey(passphrase, sealing), randomBytes(24));
}

export function recoveryProof(code: string | undefined): Proof {
  return { kind: 'recovery', code: (code ?? '').replaceAll('-', '') };
}

function wordOf(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'ask';
  return outcome.verdict.result === 'accepted' ? outcome.verdict.method : outcome.verdict.reason;
}
