/** What happens in a sequence: each command does it to notp and tells it to the model, and compares what both say. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Proof } from '../../src/otp/proof.ts';
import { recoveryProof } from '../login/local-world.ts';
import { enrolled, judge, LEAST_MS, PAIR_MS, remember, TRY_MS, standing, type Account, type File, type Shown } from './model.ts';
import { oracleCode, stepOf } from './oracle.ts';
import { strangersRecovery, type Real } from './real.ts';

/** What the model has. */
export interface Model {
  nowMs: number;
  account: Account | undefined;
  /** The account as it is once its pending file has come into its place. */
  pending: Account | undefined;
  /** The file in the home. */
  present: File | undefined;
  /** What the log must have: its records, and those of them that a crash has cut off from the state. */
  records: number;
  cutOff: number;
  /** An earlier database was put back since. */
  restored: boolean;
  saved: { readonly model: Pick<Model, 'account' | 'pending'>; readonly real: ReturnType<Real['database']['save']> } | undefined;
}

export type Command = fc.AsyncCommand<Model, Real>;

export function freshModel(nowMs: number): Model {
  return {
    ...{ nowMs, account: undefined, pending: undefined, present: undefined },
    ...{ records: 1, cutOff: 0, restored: false, saved: undefined },
  };
}

/** 1/128 hour: the model counts tries in milliseconds and notp in fractions, and of these steps both are exact. */
const CLOCK_STEP_MS = 28_125;

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

const clock = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: -200, max: 1000 })).map((steps) =>
  command(`clock ${String(steps)}`, (model, real) => {
    model.nowMs += steps * CLOCK_STEP_MS;
    real.world.nowMs = model.nowMs;
    return Promise.resolve();
  }),
);

type Stop = Parameters<Real['enrol']>[0];

const enrol = fc.constantFrom<Stop[]>(undefined, undefined, 'before the file', 'after the file').map((stops) =>
  command(`enrol, ${stops === undefined ? 'whole' : `gone ${stops}`}`, async (model, real) => {
    const { file, payload } = await real.enrol(stops);
    const now = present(model);
    model.records++;
    if (now !== undefined) model.account = now;
    const next = enrolled(file.id, model.nowMs, model.account);
    const before = model.account ?? { ...enrolled('', model.nowMs), connections: next.connections };
    model.account = { ...before, pendingId: file.id };
    model.pending = next;
    if (stops !== 'before the file') model.present = { id: file.id, secret: payload.secret };
    if (stops === undefined) [model.account, model.pending] = [next, undefined];
  }),
);

/** The account as the file in place makes it. */
function present({ account, pending, present: file }: Model): Account | undefined {
  return account !== undefined && file !== undefined && file.id === account.pendingId ? pending : account;
}

/** What is shown, by the steps from now that the codes are of; of a wrong one a digit is changed. */
type Try = { readonly steps: readonly number[]; readonly wrong: boolean } | { readonly recovery: number };

const tries: fc.Arbitrary<Try> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ steps: fc.tuple(fc.integer({ min: -2, max: 2 })), wrong: fc.constant(false) }) },
  { weight: 4, arbitrary: fc.record({ steps: fc.tuple(fc.integer({ min: -1, max: 1 })), wrong: fc.constant(true) }) },
  { weight: 3, arbitrary: fc.record({ steps: fc.integer({ min: -2, max: 2 }).map((step) => [step, step + 1]), wrong: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ steps: fc.tuple(fc.integer({ min: -1, max: 1 }), fc.integer({ min: -1, max: 1 })), wrong: fc.constant(false) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ steps: fc.integer({ min: -4, max: 1 }).map((step) => [step, step + 1, step + 2]), wrong: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ recovery: fc.integer({ min: -1, max: 2 }) }) },
);

/** Where notp is gone: at no time, when the record is in the log and nothing committed, or before it could answer. */
type Crash = 'none' | 'before the commit' | 'before the answer';

const attempt = fc
  .record({
    shown: tries,
    connection: fc.integer({ min: 1, max: 3 }),
    crash: fc.constantFrom<Crash[]>('none', 'none', 'none', 'before the commit', 'before the answer'),
  })
  .map(({ shown, connection, crash }) =>
    command(`try ${JSON.stringify(shown)} on ${String(connection)}, crash: ${crash}`, async (model, real) => {
      const owner = real.files.find(({ file }) => file.id === model.present?.id) ?? real.files.at(-1);
      const secret = owner?.payload.secret ?? new Uint8Array(20);
      const [proof, told] = proofOf(shown, secret, owner?.recovery ?? [], model.nowMs);
      const saved = real.database.save();
      const said = await real.verify(proof, connection);
      if (crash === 'before the commit') {
        real.database.restore(saved);
        const added = said === 'recovery' ? 2 : 1;
        model.records += added;
        model.cutOff += added;
        return;
      }
      const expected = verified(model, told, connection);
      model.records += expected === 'recovery' ? 2 : 1;
      if (crash === 'none') assert.equal(said, expected);
    }),
  );

/** What the model answers, and the state after it. */
function verified(model: Model, shown: Shown, connection: number): string {
  const { account, pending, present: file } = model;
  const refusal = standing(account, file, pending);
  if (refusal !== undefined || file === undefined) return refusal ?? 'bad_secret_file';
  const judged = present(model);
  if (judged === undefined) throw new Error('nothing stands, and there is no account');
  if (judged === pending) [model.account, model.pending] = [pending, undefined];
  const outcome = judge(judged, file.secret, shown, model.nowMs);
  if (['totp', 'step_up', 'recovery'].includes(outcome)) remember(judged, connection);
  return outcome;
}

function proofOf(shown: Try, secret: Uint8Array, recovery: readonly string[], nowMs: number): [Proof, Shown] {
  if ('recovery' in shown) {
    const code = recovery[shown.recovery];
    return code === undefined ? [strangersRecovery(), { recovery: -1 }] : [recoveryProof(code), shown];
  }
  const codes = shown.steps.map((step) => oracleCode(secret, stepOf(nowMs) + step));
  if (shown.wrong) codes[codes.length - 1] = (codes.at(-1) ?? '').replace(/\d$/, (digit) => String((Number(digit) + 1) % 10));
  const [first = ''] = codes;
  return [codes.length === 1 ? { kind: 'code', code: first } : { kind: 'codes', codes }, { codes }];
}

const before = fc.integer({ min: 1, max: 3 }).map((connection) =>
  command(`another session on ${String(connection)}`, async (model, real) => {
    const judged = present(model);
    const known = judged?.connections.includes(`${judged.id} ${String(connection)}`) === true;
    const expected = standing(model.account, model.present, model.pending) ?? (known ? 'same_connection' : 'ask');
    assert.equal(await real.before(connection), expected);
    if (expected !== 'ask') model.records++;
  }),
);

/** Whether nothing logs in by it, nor by a file that may be on its way. */
function isOver({ account, pending }: Pick<Model, 'account' | 'pending'>): boolean {
  return account === undefined || (account.revoked && pending?.revoked !== false);
}

const revoke = fc.constant(
  command('revoke', async (model, real) => {
    const { account } = model;
    const ends = !isOver(model);
    assert.equal(await real.revoke(), ends);
    if (account === undefined || !ends) return;
    [account.revoked, account.pendingId, model.pending] = [true, '', undefined];
    model.records++;
  }),
);

const unlock = fc.constant(
  command('unlock', async (model, real) => {
    await real.unlock();
    const { account } = model;
    if (account === undefined) return;
    // What the window has let in is of no clock that was ahead.
    const now = stepOf(model.nowMs);
    if (account.lastStep > now + 1) account.lastStep = now;
    if (isOver(model)) return;
    // Also where the clock was ahead before: what was counted then does not hold the budget up.
    for (const each of [account, model.pending])
      if (each !== undefined) Object.assign(each, { creditMs: enrolled('', 0).creditMs, asOfMs: model.nowMs });
    model.records++;
  }),
);

/** As many wrong pairs as are judged, but for a few. */
const flood = fc.integer({ min: 0, max: 3 }).map((left) =>
  command(`pairs come as a flood, ${String(left)} more are judged`, async ({ account, nowMs }, real) => {
    if (account === undefined || account.revoked) return;
    Object.assign(account, { creditMs: LEAST_MS + (left + 0.5) * PAIR_MS, asOfMs: nowMs });
    await real.flooded({ tokens: account.creditMs / TRY_MS, asOfMs: nowMs });
  }),
);

const putBackFile = fc.nat(5).map((number) =>
  command(`the sealed file ${String(number)} of all is put back`, (model, real) => {
    const secret = real.files[number];
    real.present = secret;
    model.present = secret === undefined ? undefined : { id: secret.file.id, secret: secret.payload.secret };
    return Promise.resolve();
  }),
);

const keepDatabase = fc.constant(
  command('the database is copied', (model, real) => {
    model.saved = { model: structuredClone({ account: model.account, pending: model.pending }), real: real.database.save() };
    return Promise.resolve();
  }),
);

const putBackDatabase = fc.constant(
  command('the copy of the database is put back', (model, real) => {
    const { saved } = model;
    if (saved === undefined) return Promise.resolve();
    real.database.restore(saved.real);
    Object.assign(model, structuredClone(saved.model), { restored: true });
    return Promise.resolve();
  }),
);

/** All of them; most of them are tries. */
export const COMMANDS = [
  clock,
  clock,
  enrol,
  attempt,
  attempt,
  attempt,
  attempt,
  before,
  revoke,
  unlock,
  flood,
  putBackFile,
  keepDatabase,
  putBackDatabase,
];
