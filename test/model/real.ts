/** notp itself as the model test drives it: its registrar and verifier on a real database, a real log and real sealed files, by a clock that is set. */
import { registrationOf } from '../../src/seal/file.ts';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { verifyLog, type Report } from '../../src/audit/verify.ts';
import { NotpError } from '../../src/error.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { append, newRef } from '../../src/audit/audit.ts';
import { auditKey } from '../../src/seal/keys.ts';
import type { Bucket } from '../../src/verdict/budget.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { begin, complete, firstState, revoke } from '../../src/enrolment/registrar.ts';
import { newHeader, newPayload, sealByHost } from '../../src/enrolment/sealing.ts';
import type { SshSession } from '../../src/wire/verifier.ts';
import { localWorld, ORIGIN, POLICY, WANTED, type LocalWorld, type Secret } from '../login/local-world.ts';

export interface Real {
  readonly world: LocalWorld;
  /** The sealed files that were ever made, the newest last. */
  readonly files: Secret[];
  /** The one that is in place. */
  present: Secret | undefined;
  /** Registers a new secret. Where `stops` says so, notp is gone before or after the file came into its place. */
  enrol(stops?: 'before the file' | 'after the file'): Promise<Secret>;
  verify(proof: Proof, connection: number): Promise<string>;
  before(connection: number): Promise<string>;
  /** False where there was nothing to end. */
  revoke(): Promise<boolean>;
  unlock(): Promise<void>;
  /** Leaves the budget as a flood of guesses does. */
  flooded(bucket: Bucket): Promise<void>;
  database: { save(): Saved; restore(saved: Saved): void };
  checkLog(): Promise<Report>;
  /** Removes its files. */
  discard(): void;
}

// Waiting for a disk at each commit would be most of the time.
if (fs.existsSync('/dev/shm')) process.env['TMPDIR'] = '/dev/shm';

/** The bytes of the files of the database. */
type Saved = ReadonlyMap<string, Buffer>;

export async function realWorld(): Promise<Real> {
  const world = localWorld('model');
  // As `notp host-key init` does: a state without a record beside a log that has some is refused.
  await world.withState(({ store, log }) =>
    store.exclusively((transaction) => append(log, transaction, { ...ORIGIN, event: 'host_key.created', result: 'done', ref: newRef() })),
  );
  const { place } = world;
  const database = path.join(path.dirname(place.auditFile), 'state.db');
  const found = (): Parameters<LocalWorld['options']>[0] =>
    real.present === undefined ? { kind: 'absent' } : { kind: 'sealed', file: real.present.file };
  const databaseFiles = (): string[] => [database, `${database}-journal`].filter((file) => fs.existsSync(file));
  const real: Real = {
    world,
    files: [],
    present: undefined,
    enrol: async (stops) =>
      await world.withState(async (state) => {
        if (state.hostKey === undefined) throw new Error('no host key');
        const { payload, codes } = newPayload(WANTED);
        const file = sealByHost(newHeader('alice', 'ssh', world.nowMs), payload, state.hostKey);
        const enrolment = {
          origin: ORIGIN,
          ...registrationOf(file),
          state: firstState(POLICY, codes.length, world.nowMs, payload),
          replace: true,
        };
        await begin(state, enrolment, real.present === undefined ? undefined : registrationOf(real.present.file));
        const secret = { file, payload, recovery: codes };
        real.files.push(secret);
        if (stops !== 'before the file') real.present = secret;
        if (stops === undefined) await complete(state, enrolment);
        return secret;
      }),
    verify: async (proof, connection) => await world.verify(found(), proof, {}, session(connection)),
    before: async (connection) => await world.before(found(), {}, session(connection)),
    revoke: async () =>
      await world.withState(async (state) => {
        try {
          await revoke(state, ORIGIN);
          return true;
        } catch (error) {
          if (error instanceof NotpError && error.code === 'refused') return false;
          throw error;
        }
      }),
    unlock: async () => {
      await world.withState(async (state) => {
        await refill(state, ORIGIN, 'ssh', { policy: POLICY, contexts: ['ssh'] }, world.nowMs);
      });
    },
    flooded: async (bucket) => {
      await world.withState(({ store }) =>
        store.exclusively(async (transaction) => {
          const [known] = await transaction.enrolmentsOf('alice');
          if (known !== undefined) await transaction.save({ ...known, state: { ...known.state, bucket } });
        }),
      );
    },
    database: {
      save: () => new Map(databaseFiles().map((file) => [file, fs.readFileSync(file)])),
      restore: (saved) => {
        for (const file of databaseFiles()) fs.rmSync(file);
        for (const [file, bytes] of saved) fs.writeFileSync(file, bytes, { mode: 0o600 });
      },
    },
    checkLog: async () => {
      const known = await world.withState((state) => state.store.exclusively((transaction) => transaction.head()));
      const key = auditKey(fs.readFileSync(path.join(path.dirname(database), 'host.key')));
      if (!fs.existsSync(place.auditFile)) fs.writeFileSync(place.auditFile, '', { mode: 0o600 });
      return await verifyLog(place.auditFile, { known, keys: [key] });
    },
    discard: () => {
      fs.rmSync(path.dirname(database), { recursive: true });
    },
  };
  return real;
}

function session(connection: number): SshSession {
  return { connection: { pid: 1 + connection, startTicks: 1, bootId: 'b'.repeat(36) }, keyDigest: undefined };
}

/** A recovery code of nobody. */
export function strangersRecovery(): Proof {
  return { kind: 'recovery', code: [...randomBytes(13)].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(byte % 32)).join('') };
}
