/** Exports of other programs, written by writer.py from their documentation, and what is compared of what was read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { codeAt, stepAt, toBase32 } from '../../src/otp/code.ts';
import { readExport } from '../../src/formats/formats.ts';
import type { Entry } from '../../src/formats/format.ts';
import { lacks, must } from '../support/world.ts';

/** As Debian's python3 has the modules. */
const PYTHON = '/usr/bin/python3';

export interface WrittenAccount {
  readonly type: string;
  readonly issuer: string;
  readonly account: string;
  /** Base32. */
  readonly secret: string;
  readonly algorithm: string;
  readonly digits: number;
  readonly period: number;
  readonly counter: number;
}

const USUAL = { type: 'totp', algorithm: 'SHA1', digits: 6, period: 30, counter: 0 };

/** Of a kind that every program holds. */
export const FEW: readonly WrittenAccount[] = [{ ...USUAL, issuer: 'GitHub', account: 'alice', secret: 'HSBRGZRKZDRLBVEY' }];

/** All that notp holds. */
export const MANY: readonly WrittenAccount[] = [
  ...FEW,
  {
    ...USUAL,
    issuer: 'Bücher & Söhne',
    account: 'jürgen@example.org',
    secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
    algorithm: 'SHA256',
    period: 60,
  },
  { ...USUAL, issuer: 'Bank', account: 'ada', secret: '4SJHB4GSD43FZBAI7C2HLRJGPQ', algorithm: 'SHA512', digits: 8 },
  { ...USUAL, type: 'hotp', issuer: 'Door', account: 'eve', secret: 'YOOMIXWS5GN6RTBPUFFWKTW5M4', digits: 7, counter: 10_300 },
];

export const STEAM: WrittenAccount = { ...USUAL, type: 'steam', issuer: 'Steam', account: 'bob', secret: 'NBSWY3DPEBTGY33S', digits: 5 };

/** Why the writer cannot run here; as lacks(). */
export function lacksWriter(): string | false {
  const modules =
    spawnSync(PYTHON, ['-c', 'import argon2, cryptography, nacl']).status === 0 ? [] : ['argon2, cryptography and nacl for python3'];
  return lacks({ programs: ['oathtool', ...modules] });
}

/** The file that `format` of writer.py makes. */
export function written(format: string, accounts: readonly WrittenAccount[], password?: string): Uint8Array {
  const words = [path.join(import.meta.dirname, 'writer.py'), format, ...(password === undefined ? [] : [password])];
  const { status, stdout, stderr } = spawnSync(PYTHON, words, { input: JSON.stringify(accounts) });
  assert.equal(status, 0, stderr.toString());
  return new Uint8Array(stdout);
}

/** The program that `bytes` are found to be of, and the entries, opened by `password` where they are locked. */
export function entriesOf(
  bytes: Uint8Array,
  password?: string,
): { readonly program: string; readonly entries: readonly Entry[] | undefined } {
  const read = readExport(bytes);
  assert.ok(read !== undefined && read.kind !== 'unreadable', 'it is not known');
  assert.equal(read.kind, password === undefined ? 'entries' : 'locked');
  return { program: read.program, entries: read.kind === 'locked' ? read.open(password ?? '') : read.entries };
}

/** As the account was written. */
export function accountIn(entry: Entry): WrittenAccount | string {
  if ('why' in entry) return `${entry.place} ${entry.name}: ${entry.why}`;
  const { credential } = entry;
  const { issuer, account, algorithm, digits, secret, type } = credential;
  const moving =
    credential.type === 'totp' ? { period: credential.periodSeconds, counter: 0 } : { period: 30, counter: credential.counter };
  return { type, issuer, account, secret: toBase32(secret), algorithm, digits, ...moving };
}

/** The codes of the entries now, by notp. */
export function codesOf(entries: readonly Entry[], nowMs: number): string[] {
  return entries.flatMap((each) => {
    if ('why' in each) return [];
    const { credential } = each;
    const step = credential.type === 'totp' ? stepAt(nowMs, credential.periodSeconds) : credential.counter;
    return [codeAt(credential.secret, step, credential)];
  });
}

/** The same of the accounts, by oathtool. */
export function oathCodes(accounts: readonly WrittenAccount[], nowMs: number): string[] {
  return accounts.map(({ type, secret, algorithm, digits, period, counter }) => {
    const moving = type === 'hotp' ? ['--hotp', `--counter=${counter}`] : [`--totp=${algorithm}`, `--time-step-size=${period}s`];
    return must(['oathtool', ...moving, `--now=@${Math.floor(nowMs / 1000)}`, `--digits=${digits}`, '-b', secret]).trim();
  });
}
