/** Files of hardware tokens, written by python3-pskc, and what is compared of what was read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { readTokenCsv } from '../../src/formats/token-csv.ts';
import type { HardwareToken, TokenDefaults, TokenFile } from '../../src/formats/tokens.ts';
import { lacks, type Needs } from '../support/world.ts';

/** As Debian's python3 has the modules. */
const PYTHON = '/usr/bin/python3';

export interface WrittenToken {
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly user: string;
  /** Hex. */
  readonly secret: string;
  readonly type: string;
  readonly digits: number;
  readonly period: number;
  readonly counter: number;
}

export const KEY = '3132333435363738393031323334353637383930';
export const TIMED: WrittenToken = {
  ...{ serial: '2600000001', manufacturer: 'oath.Feitian', model: 'c200', user: 'alice' },
  ...{ secret: KEY, type: 'totp', digits: 6, period: 60, counter: 0 },
};
export const COUNTED: WrittenToken = {
  ...TIMED,
  serial: 'ubhe 2',
  manufacturer: 'TV',
  model: '',
  user: '',
  type: 'hotp',
  digits: 8,
  counter: 7,
};

/** Why the writer, or what else is needed, cannot run here; as lacks(). */
export function lacksPskc({ programs = [], ...needs }: Needs = {}): string | false {
  const modules = spawnSync(PYTHON, ['-c', 'import pskc']).status === 0 ? [] : ['pskc for python3'];
  return lacks({ ...needs, programs: ['pskctool', 'openssl', ...programs, ...modules] });
}

/** A PSKC file. `words`: as pskc_writer.py takes them. */
export function pskcOf(tokens: readonly WrittenToken[], ...words: readonly string[]): string {
  const script = path.join(import.meta.dirname, 'pskc_writer.py');
  const { status, stdout, stderr } = spawnSync(PYTHON, [script, ...words], { input: JSON.stringify(tokens), maxBuffer: 64 * 1024 * 1024 });
  assert.equal(status, 0, stderr.toString());
  return stdout.toString();
}

/** The tokens of a CSV file, all of whose columns are known. */
export function csvOf(text: string, defaults?: TokenDefaults): TokenFile | undefined {
  const read = readTokenCsv(text, defaults);
  assert.ok(read === undefined || 'tokens' in read);
  return read;
}

/** As the token was written, its maker without the prefix of RFC 6030. */
export function tokenIn({ serial, model, user, credential }: HardwareToken): object {
  const { type, digits, secret } = credential;
  const moving = credential.type === 'totp' ? { period: credential.periodSeconds } : { counter: credential.counter };
  return { serial, model, user, type, digits, secret: Buffer.from(secret).toString('hex'), ...moving };
}

export function toldOf({ serial, manufacturer, model, user, type, digits, secret, period, counter }: WrittenToken): object {
  const whole = [manufacturer.replace('oath.', ''), model].filter((name) => name !== '').join(' ');
  return { serial, model: whole, user, type, digits, secret, ...(type === 'totp' ? { period } : { counter }) };
}
