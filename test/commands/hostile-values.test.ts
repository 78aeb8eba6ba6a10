/** Whatever stands in names, addresses, terminals, files, words and settings: no command lets a control of it out, on a terminal or not. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { summaryOf as batchSummary } from '../../src/commands/enroll/batch-summary.ts';
import { summaryOf as importSummary } from '../../src/commands/import/pam-oath-summary.ts';
import type { PamOathToken } from '../../src/otp/pam-oath.ts';
import { run, type Ran } from '../support/process.ts';
import { SOURCE_NOTP } from '../support/world.ts';
import { auditWorld, login, type AuditWorld } from './audit/log.ts';

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** A terminal's title, colours, C1, direction, a line of its own, and what a record has. */
const HOSTILE = [
  'a\x1b]0;title\x07\x1b[31m',
  'a\u009b31m\u202e\u2066\u200b',
  'a\nFORGED: all is well',
  'a\r\x1b[2J\x1b[H',
  'a\u2028\u0085\x08\x7f"\'\\',
];
/** What notp itself sends: colours, and the end of a line. */
const OURS = new RegExp(String.raw`${'\x1b'}\[[\d;]*m|\r?\n`, 'g');

/** What somebody else wrote into a log, which is lines. */
const LINE = HOSTILE.join('').replaceAll('\n', '');

function assertClean({ stdout, stderr }: Pick<Ran, 'stdout' | 'stderr'>, what: string): void {
  for (const text of [stdout, stderr]) {
    assert.doesNotMatch(text.replaceAll(/[\n\t]/g, ''), UNSAFE, what);
    assert.doesNotMatch(text, /^FORGED/m, what);
  }
}

describe('hostile values', () => {
  let world: AuditWorld;
  before(() => {
    world = auditWorld('hostile');
    const records = HOSTILE.map((value, i) => {
      const times = [`2026-03-04T10:00:0${String(i)}`, `abcdef0${String(i)}`] as const;
      return login(...times, value, 'bad_secret_file', { rhost: value, tty: value, service: value, context: value, detail: value });
    });
    world.write(world.log, records);
    fs.appendFileSync(world.log, `${LINE}\n{"time":"${LINE}"}\n`);
    for (const value of HOSTILE) fs.writeFileSync(path.join(world.own.secrets, value.replaceAll('/', '')), value, { mode: 0o600 });
  });

  const views = [
    [],
    ['--ref', 'abcdef00'],
    ['--ref', 'abcdef02', '--json'],
    ['report', '--since', '2026-03-01'],
    ['report', '--since', '2026-03-01', '--json'],
    ['verify'],
    ['verify', '--json'],
    ['--format', 'ecs'],
    ['--event', 'login.refused'],
  ];
  for (const words of views) {
    it(`in records and lines of the log do not leave notp audit ${words.join(' ')}`, async () => {
      assertClean(await world.audit(words), words.join(' '));
      const shown = await world.shown(words, 80);
      assert.doesNotMatch(shown.replaceAll(OURS, ''), UNSAFE);
      assert.doesNotMatch(shown, /^FORGED/m);
    });
  }

  it('in names of files do not leave notp list and status', async () => {
    for (const words of [['list'], ['list', '--json'], ['status'], ['status', '--json'], ['code']])
      assertClean(await world.own.notp(words), words.join(' '));
  });

  it('in words do not come back from any command', async () => {
    const commands: readonly ((value: string) => string[])[] = [
      (value) => [value],
      (value) => ['status', value],
      (value) => ['verify', value, '--code-stdin'],
      (value) => ['code', value, '--once'],
      (value) => ['export', value],
      (value) => ['remove', value, '--yes'],
      (value) => ['import', value, '--file', value],
      (value) => ['import', 'x', '--file', value, '--from', value],
      (value) => ['enroll', 'x', '--issuer', value, '--no-confirm', '--passphrase-file', value],
      (value) => ['list', '--user', value],
      (value) => ['audit', '--file', value],
      (value) => ['audit', '--user', value, '--since', value],
      (value) => ['audit', 'report', '--since', value],
      (value) => ['doctor', '--user', value],
      (value) => ['doctor', '--sshd-config', value],
      (value) => ['revoke', '--user', value],
      (value) => ['setup', 'gate', '--user', value],
      (value) => ['demo', '--issuer', value, '--digits', value],
      (value) => ['status', `--${value}`],
    ];
    const value = fc
      .oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 20 }))
      .filter((text) => !text.includes('\0'));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...commands), value, async (command, text) => {
        const words = command(text);
        assertClean(await world.own.notp(words, { input: '' }), JSON.stringify(words));
      }),
      { numRuns: 30, examples: commands.map((command) => [command, HOSTILE.join('')] as [typeof command, string]) },
    );
  });

  it('in the configuration do not come back from its refusal', async () => {
    const config = path.join(world.own.folder, 'hostile.toml');
    const [all, text] = [HOSTILE.join(''), JSON.stringify(HOSTILE.join(''))];
    for (const toml of [
      `${text} = 1`,
      `[${text}]`,
      `unenrolled = ${text}`,
      `[store]\nurl = ${text}`,
      `[gate]\nauthorized_keys = [${text}]`,
      `x = ${all}`,
    ]) {
      fs.writeFileSync(config, `${toml}\n`, { mode: 0o644 });
      assertClean(await run([...SOURCE_NOTP, 'list', '--config', config]), toml);
    }
    assertClean(await run([...SOURCE_NOTP, 'list', '--config', all]), 'a file of that name');
  });

  it('in names, reasons and notes began lines of their own in the summaries of an import and a batch', () => {
    const value = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 20 }));
    fc.assert(
      fc.property(value, value, (user, why) => {
        for (const summary of [ofImport, ofBatch]) {
          const text = summary(user, why);
          assertClean({ stdout: text, stderr: '' }, text);
          assert.equal(text.split('\n').length, summary('alice', 'no such user').split('\n').length);
        }
      }),
      { examples: HOSTILE.map((each) => [each, each]) },
    );
  });
});

function ofImport(user: string, why: string): string {
  const token: PamOathToken = {
    ...{ line: 1, user, pin: true, lastStep: undefined, notes: [] },
    credential: { type: 'hotp', secret: new Uint8Array(20), algorithm: 'SHA1', digits: 6, issuer: '', account: user, counter: 0 },
  };
  const ended = [
    { token, outcome: { kind: 'imported', context: 'ssh', notes: [why] } },
    ...(['already', 'skipped', 'failed'] as const).map((kind) => ({ token, outcome: { kind, context: 'ssh', why } }) as const),
  ] as const;
  return importSummary(ended, [{ line: 2, user, why }], { from: why, dryRun: false, total: 4 });
}

function ofBatch(user: string, why: string): string {
  const ended = [
    { user, at: why, outcome: { kind: 'made' } },
    { user, at: why, outcome: { kind: 'already', note: why } },
    ...(['skipped', 'failed'] as const).map((kind) => ({ user, at: why, outcome: { kind, why } })),
  ] as const;
  return batchSummary(ended, [{ at: why, why }], { context: 'ssh', folder: why, pending: false, dryRun: false, total: 4 });
}
