/** Whose a hardware token is: by a list, or as its file says; and what a list cannot give. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assigned, asTheFileSays } from '../../../src/commands/import/token-owners.ts';
import { readAssignments } from '../../../src/formats/token-csv.ts';
import type { TokenFile } from '../../../src/formats/tokens.ts';
import type { PamOathFile } from '../../../src/otp/pam-oath.ts';
import { csvOf } from '../../formats/token-files.ts';

const KEY = '3132333435363738393031323334353637383930';

function fileOf(...rows: readonly string[]): TokenFile {
  return csvOf(`user,serial,seed,model\n${rows.join('\n')}`) ?? { tokens: [], mistakes: [] };
}

function told({ tokens, mistakes }: PamOathFile): string[] {
  const found = tokens.map(({ line, user, token }) => `${line}: ${user} has ${token?.serial ?? ''} ${token?.model ?? ''}`.trim());
  return [...found, ...mistakes.map(({ line, user, why }) => `${line}: ${user ?? '-'}: ${why}`)];
}

/** As a directory service, which takes a name in any case. */
function accountOf(name: string): string | undefined {
  return ['alice', 'bob', 'carol'].find((each) => each === name.toLowerCase());
}

function refused(file: TokenFile): void {
  asTheFileSays(file, (name) => name, 'tokens.csv');
}

describe('hardware tokens', () => {
  const file = fileOf(`,1,${KEY},c200`, `,2,${KEY}`, ',3,nothing');

  it('go to the users of a list, each to one', () => {
    const list = readAssignments('alice,1\nbob,1\ncarol,9\ndave,3\nerin\n,2\nfrank,2\n');
    assert.deepEqual(told(assigned(file, list, 'tokens.csv')), [
      '1: alice has 1 c200',
      '7: frank has 2',
      '2: bob: token "1" is given to alice already',
      '3: carol: token "9" is not in tokens.csv',
      '4: dave: token "3": its secret is malformed, or too short or too long',
      '5: erin: it must be a user and a serial number, separated by a comma',
      '6: -: it must be a user and a serial number, separated by a comma',
    ]);
  });

  it('go to the users that the file names, with their domain or without it', () => {
    const named = fileOf(`alice@example.org,1,${KEY}`, `bob@example.org,2,${KEY}`, `,3,${KEY}`, 'dave,4,nothing', 'erin,,nothing');
    const users = ['alice', 'bob@example.org', 'bob'];
    assert.deepEqual(told(asTheFileSays(named, (name) => users.find((user) => user === name), 'tokens.csv')), [
      '2: alice has 1',
      '3: bob@example.org has 2',
      '5: dave: token "4": its secret is malformed, or too short or too long',
      '6: erin: its secret is malformed, or too short or too long',
    ]);
  });

  it('of two users with one name in two domains both became devices of one account', () => {
    const named = fileOf(
      `alice@corp,1,${KEY}`,
      `Alice@CORP,2,${KEY}`,
      `bob@corp,3,${KEY}`,
      `bob@guests,4,${KEY}`,
      `carol,5,${KEY}`,
      'carol@corp,6,nothing',
    );
    assert.deepEqual(told(asTheFileSays(named, accountOf, 'tokens.csv')), [
      '2: alice has 1',
      '3: Alice has 2',
      '7: carol@corp: token "6": its secret is malformed, or too short or too long',
      '4: bob: token "3": "bob@corp" and "bob@guests" are both bob here: say whose it is with --assign',
      '5: bob: token "4": "bob@guests" and "bob@corp" are both bob here: say whose it is with --assign',
      '6: carol: token "5": "carol" and "carol@corp" are both carol here: say whose it is with --assign',
    ]);
    // Users whom nobody knows are not one account.
    const unknown = fileOf(`dave@corp,1,${KEY}`, `dave@guests,2,${KEY}`);
    assert.equal(asTheFileSays(unknown, () => undefined, 'tokens.csv').tokens.length, 2);
  });

  it('that nobody has are refused with how to give them', () => {
    assert.throws(() => refused(file), {
      code: 'usage',
      message: 'tokens.csv does not say whose its 2 tokens are',
      hint: /--serial 1; for many/,
    });
    assert.throws(() => refused(fileOf(',3,nothing', ',,')), {
      code: 'usage',
      message: /no token that notp can use: line 2: its secret is mal/,
    });
    assert.throws(() => refused({ tokens: [], mistakes: [] }), { code: 'usage', message: 'tokens.csv has no token that notp can use' });
  });
});
