/** notp and a model of it, told a second time and simply, agree on whatever happens: at every step of thousands of random sequences. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { lacks, oathCode } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { COMMANDS, freshModel, type Command, type Model } from './commands.ts';
import { TRY_MS } from './model.ts';
import { oracleCode } from './oracle.ts';
import { realWorld, type Real } from './real.ts';

const SEQUENCES = LONG ? 20_000 : 300;
const LENGTH = 30;
const START_MS = 1_795_000_000_000;

describe('notp and the model of it', { skip: lacks({ programs: ['getent', 'oathtool'] }) }, () => {
  it('know the same codes as RFC 4226 and oathtool', () => {
    const secret = Buffer.from('12345678901234567890');
    const published = ['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489'];
    assert.deepEqual(
      published.map((_, counter) => oracleCode(secret, counter)),
      published,
    );
    assert.equal(oracleCode(secret, Math.floor(Date.now() / 30_000)), oathCode('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'));
  });

  it('agree at every step of a random sequence of enrolments, tries, crashes, restores, revocations and clocks', async () => {
    const [seed, path] = [Number(process.env['NOTP_SEED'] ?? Date.now() % 2 ** 31), process.env['NOTP_PATH'] ?? ''];
    let [steps, disagreed] = [0, 1];
    const property = fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: LENGTH, size: 'max' }), async (commands) => {
      const real = await realWorld();
      try {
        const model = freshModel(START_MS);
        const each = counted(commands, () => steps++);
        await fc.asyncModelRun(() => ({ model, real }), each);
        await compareLogs(model, real);
      } finally {
        real.discard();
      }
    });
    try {
      await fc.assert(property, { seed, path, numRuns: SEQUENCES });
      disagreed = 0;
    } finally {
      report({
        part: 'model',
        tried: 'steps of random sequences of everything, judged by notp and by a model of it',
        times: steps,
        failed: disagreed,
      });
    }
  });
});

/** Each command, counted, and after it what both know. */
function* counted(commands: Iterable<Command>, count: () => void): Generator<Command> {
  for (const command of commands) {
    yield {
      check: (model) => command.check(model),
      toString: () => command.toString(),
      run: async (model, real) => {
        count();
        await command.run(model, real);
        await compare(model, real);
      },
    };
  }
}

/** What the store knows of the account and what the model does. */
async function compare({ account }: Model, { world }: Real): Promise<void> {
  const enrolment = await world.enrolment();
  assert.equal(enrolment === undefined, account === undefined);
  if (enrolment === undefined || account === undefined) return;
  const { id, pendingId, status, state } = enrolment;
  const { revoked, lastStep, creditMs } = account;
  assert.deepEqual(
    {
      id,
      pendingId,
      revoked: status === 'revoked',
      lastStep: state.lastStep,
      creditMs: toMicroseconds(state.bucket.tokens * TRY_MS),
      spent: state.spent,
    },
    {
      id: account.id,
      pendingId: account.pendingId,
      revoked,
      lastStep,
      creditMs: toMicroseconds(creditMs),
      spent: digits(account.spent, state.spent.length),
    },
  );
}

/** What pairs cost is not exact in binary. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) + 0;
}

function digits(spent: ReadonlySet<number>, length: number): string {
  return Array.from({ length }, (_, i) => (spent.has(i) ? '1' : '0')).join('');
}

/** The log has what the model counted, and is whole whatever crashed. After an old database was put back that is for root to say. */
async function compareLogs(model: Model, real: Real): Promise<void> {
  const { problems, records, unlinked } = await real.checkLog();
  if (model.restored) return;
  assert.deepEqual({ problems, records, unlinked }, { problems: [], records: model.records, unlinked: 0 });
}
