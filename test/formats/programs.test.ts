/** The exports of each program, plain and locked, are known by themselves and give the accounts and the codes that were written. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readExport } from '../../src/formats/formats.ts';
import { accountIn, codesOf, entriesOf, FEW, lacksWriter, MANY, oathCodes, STEAM, written, type WrittenAccount } from './written.ts';

const NOW_MS = Date.UTC(2026, 10, 30);
const PASSWORD = 'correct hörse';

interface Program {
  /** Of writer.py. */
  readonly format: string;
  readonly program: string;
  readonly locks?: 'too' | 'always';
  /** How it tells that entry of Steam. */
  readonly steam?: string;
  readonly accounts?: readonly WrittenAccount[];
}

const withoutIssuer = MANY.map((each) => ({ ...each, issuer: '', algorithm: 'SHA1', period: 30 }));

const PROGRAMS: readonly Program[] = [
  { format: 'aegis', program: 'Aegis', locks: 'too', steam: 'entry 5 Steam:bob: unsupported kind of code: steam' },
  { format: 'two_fas', program: '2FAS', locks: 'too', steam: 'entry 5 Steam:bob: unsupported kind of code: STEAM' },
  { format: 'andotp', program: 'andOTP', locks: 'too', steam: 'entry 5 Steam:bob: unsupported kind of code: STEAM' },
  { format: 'andotp_old', program: 'old andOTP', locks: 'always', steam: 'entry 5 Steam:bob: unsupported kind of code: STEAM' },
  { format: 'stratum', program: 'Stratum', locks: 'too', steam: 'entry 5 Steam:bob: unsupported kind of code: Steam' },
  { format: 'authenticator_pro', program: 'Stratum', locks: 'always' },
  { format: 'ente', program: 'Ente Auth', locks: 'always', steam: 'line 5 Steam:bob: unsupported kind of code: steam' },
  { format: 'freeotp_plus', program: 'FreeOTP+' },
  { format: 'bitwarden', program: 'Bitwarden', steam: 'entry 6 Steam:bob: unsupported kind of code: Steam' },
  { format: 'bitwarden_csv', program: 'Bitwarden', steam: 'line 8 Steam:bob: unsupported kind of code: Steam' },
  { format: 'ente', program: 'otpauth URIs', steam: 'line 5 Steam:bob: unsupported kind of code: steam' },
  { format: 'proton_authenticator', program: 'otpauth URIs', steam: 'line 43 Steam:bob: unsupported kind of code: steam' },
  { format: 'proton_pass', program: 'otpauth URIs', steam: 'line 1 Steam:bob: unsupported kind of code: steam' },
  { format: 'one_password', program: 'otpauth URIs', steam: 'line 1 Steam:bob: unsupported kind of code: steam' },
  { format: 'one_password_csv', program: 'otpauth URIs', steam: 'line 6 Steam:bob: unsupported kind of code: steam' },
  { format: 'two_fa', program: '2fa', accounts: withoutIssuer },
];

describe('an export', { skip: lacksWriter() }, () => {
  for (const { format, program, locks, steam, accounts = MANY } of PROGRAMS) {
    const passwords = locks === 'always' ? [PASSWORD] : locks === 'too' ? [undefined, PASSWORD] : [undefined];
    for (const password of passwords) {
      it(`of ${program} (${format}${password === undefined ? '' : ', locked'}) gives its accounts and their codes`, () => {
        const few = format === 'two_fa' ? accounts.slice(0, 1) : FEW;
        for (const some of [few, accounts]) {
          const found = entriesOf(written(format, some, password), password);
          assert.equal(found.program, program);
          assert.deepEqual(found.entries?.map(accountIn), some);
          assert.deepEqual(codesOf(found.entries, NOW_MS), oathCodes(some, NOW_MS));
        }
        if (steam === undefined) return;
        const mixed = entriesOf(written(format, [...accounts, STEAM], password), password);
        assert.deepEqual(mixed.entries?.map(accountIn), [...accounts, steam]);
      });
    }
    if (locks !== undefined)
      it(`of ${program} (${format}) opens by no other password, and not where a byte was changed`, () => {
        const bytes = written(format, FEW, PASSWORD);
        assert.equal(entriesOf(bytes, 'wrong').entries, undefined);
        const changed = Uint8Array.from(bytes);
        const at = bytes.length - 40;
        changed[at] = (bytes[at] ?? 0) ^ 1;
        const read = readExport(changed);
        if (read?.kind === 'locked' && format !== 'authenticator_pro') assert.equal(read.open(PASSWORD), undefined);
      });
  }

  it('of gopass gives the code of each entry', () => {
    for (const account of [...FEW, ...MANY.slice(1, 2)].map(
      (each) => ({ ...withoutIssuer[0], account: '', secret: each.secret }) as WrittenAccount,
    )) {
      const { program, entries = [] } = entriesOf(Buffer.from(`hunter2\n---\nurl: example.org\ntotp: ${account.secret}\n`));
      assert.equal(program, 'pass');
      assert.deepEqual(codesOf(entries, NOW_MS), oathCodes([account], NOW_MS));
    }
  });
});
