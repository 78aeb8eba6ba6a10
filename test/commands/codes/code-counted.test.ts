/** Counted (HOTP) secrets: each code that is shown is another one, whatever happens at the same time. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks, must } from '../../support/world.ts';
import { assertRefused, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';

const counted = (counter: number): string => must(['oathtool', '--hotp', '-c', String(counter), '-b', SECRET]).trim();
const uri = (counter: number): string => `otpauth://hotp/Bank:eve?secret=${SECRET}&issuer=Bank&counter=${String(counter)}`;

describe('a counted secret', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('code-counted');
    assert.equal((await own.import('bank', uri(7))).code, 0);
  });
  const next = async (): Promise<string> => (await own.opening(['code', 'bank'])).stdout.trimEnd();

  it('counts once for each code that is shown, from the counter that came with it', async () => {
    assert.equal(await next(), counted(7));
    assert.equal(await next(), counted(8));
    const { code, counter, type } = JSON.parse((await own.opening(['code', 'bank', '--json'])).stdout) as Record<string, unknown>;
    assert.deepEqual({ code, counter, type }, { code: counted(9), counter: 9, type: 'hotp' });
  });

  it('does not count for a wrong passphrase, nor for an export, which tells the counter', async () => {
    const wrong = own.put('wrong', 'something else\n');
    assert.equal((await own.notp(['code', 'bank', '--passphrase-file', wrong])).code, 1);
    const { stdout } = await own.opening(['export', 'bank']);
    assert.equal(new URL(stdout).searchParams.get('counter'), '10');
    assert.equal(new URL(stdout).host, 'hotp');
    assert.equal(await next(), counted(10));
  });

  it('goes on counting under another passphrase', async () => {
    const changed = own.put('changed', 'changed passphrase\n');
    assert.equal((await own.opening(['passphrase', 'bank', '--new-passphrase-file', changed])).code, 0);
    const { stdout } = await own.notp(['code', 'bank', '--passphrase-file', changed]);
    assert.equal(stdout.trimEnd(), counted(11));
    const back = ['--passphrase-file', changed, '--new-passphrase-file', own.passphraseFile];
    assert.equal((await own.notp(['passphrase', 'bank', ...back])).code, 0);
  });

  it('gives eight different codes to eight at the same time', async () => {
    const codes = await Promise.all(Array.from({ length: 8 }, next));
    const expected = Array.from({ length: 8 }, (_, i) => counted(12 + i));
    assert.deepEqual(codes.toSorted(), expected.toSorted());
  });

  it('starts at the counter of what replaces it', async () => {
    assert.equal((await own.import('bank', uri(3), ['--replace'])).code, 0);
    assert.equal(await next(), counted(3));
  });

  it('whose counter is lost shows no code, and says what is lost', async () => {
    for (const name of ['.state.db', '.state.db-journal']) fs.renameSync(path.join(own.secrets, name), path.join(own.folder, name));
    const said = /the counter of this HOTP secret is lost.*\nnotp: hint: restore \.state\.db, or import the secret again with its counter/;
    assertRefused(await own.opening(['code', 'bank']), 3, said);
    assertRefused(await own.opening(['export', 'bank']), 3, said);
    for (const name of ['.state.db', '.state.db-journal']) fs.renameSync(path.join(own.folder, name), path.join(own.secrets, name));
    assert.equal(await next(), counted(4));
  });
});
