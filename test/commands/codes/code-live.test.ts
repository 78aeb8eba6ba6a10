/** `notp code NAME` on a person's screen: the passphrase is typed, the codes are the right ones, and none of it stays. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { openScreen, type Screen } from '../../support/tmux.ts';
import { lacks, SOURCE_NOTP } from '../../support/world.ts';
import { assertNothingStays, codeOn, countedCode, spellings, untilShown } from './live-world.ts';
import { codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const KIND = ['--totp=sha256', '--digits=8', '--time-step-size=15s'];
const PERIOD_MS = 15_000;

describe('the current code on a screen', { skip: lacks({ programs: ['tmux', 'oathtool'] }) }, () => {
  let own: OwnCodes;
  let screen: Screen;
  before(async () => {
    own = ownCodes('code-live');
    assert.equal((await own.import('work', `otpauth://totp/Work:eve?secret=${SECRET}&algorithm=SHA256&digits=8&period=15`)).code, 0);
    assert.equal((await own.import('bank', `otpauth://hotp/Bank:eve?secret=${SECRET}&counter=7`)).code, 0);
    screen = await openScreen(80);
  });

  const show = async (name: string): Promise<string | undefined> => {
    screen.enter([...SOURCE_NOTP, 'code', '--config', own.config, name]);
    await screen.until((lines) => lines.find((line) => line.includes(`Passphrase for ${name}:`)));
    screen.press(PASSPHRASE, 'Enter');
    return codeOn(await untilShown(screen));
  };
  const after = (shown: string | undefined): Promise<string> =>
    screen.until((lines) => (codeOn(lines) === shown ? undefined : codeOn(lines)), 2 * PERIOD_MS);
  const end = async (codes: readonly string[]): Promise<void> => {
    screen.press('C-c');
    assert.equal(await screen.prompt(), 0);
    assertNothingStays(screen, [PASSPHRASE, ...codes.flatMap(spellings)]);
  };

  it('is that of oathtool, in this step and in a later one, and Ctrl-C leaves nothing of it', async () => {
    const since = Date.now();
    const shown = [await show('work')];
    shown.push(await after(shown[0]));
    const steps = Math.ceil((Date.now() - since) / PERIOD_MS);
    const codes = Array.from({ length: steps + 1 }, (_, i) => codeBy(SECRET, since + i * PERIOD_MS, KIND));
    assert.deepEqual(
      codes.filter((code) => shown.includes(code)),
      shown,
      codes.join(' '),
    );
    await end(codes);
  });

  it('of a counted secret is another one after Enter, and the next command goes on from there', async () => {
    assert.equal(await show('bank'), countedCode(7));
    screen.press('Enter');
    assert.equal(await after(countedCode(7)), countedCode(8));
    await end([countedCode(7), countedCode(8)]);
    assert.equal((await own.opening(['code', 'bank', '--once'])).stdout, `${countedCode(9)}\n`);
  });
});
