/** Every QR code that `notp enroll` gives decodes, with zbarimg, to the URI that it prints. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { QR_STYLES } from '../../../src/terminal/choices.ts';
import { drawQr } from '../../../src/terminal/qr.ts';

import { lacks, must } from '../../support/world.ts';
import { ownState, type OwnState } from '../own-state.ts';
import { steered } from './steered.ts';

const NAMES = {
  'short names': ['--issuer', 'host', '--account', 'a'],
  'long names': ['--issuer', 'A name that is long '.repeat(3) + 'four', '--account', `${'long.name'.repeat(6)}@h.example`],
  'names with blanks and letters of other alphabets': ['--issuer', 'Müller & Söhne: 東京', '--account', 'zoë/smith@host?x=1#%'],
  'the longest key': ['--algorithm', 'SHA512', '--digits', '8', '--period', '60'],
};
const ENROL = ['--seal', 'passphrase', '--no-confirm', '--replace'];

describe('QR codes', { skip: lacks({ programs: ['zbarimg', 'rsvg-convert'] }) }, () => {
  let own: OwnState;
  before(() => {
    own = ownState('qr');
  });

  for (const [name, words] of Object.entries(NAMES)) {
    it(`in a terminal decode to the printed URI, in each style (${name})`, async () => {
      for (const style of QR_STYLES.filter((each) => each !== 'none')) {
        const { stdout } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, ...words, '--qr', style]);
        const drawing = drawingIn(stdout);
        assert.equal(decoded(own.folder, drawing), printedUri(stdout), style);
      }
    });

    it(`in files decode to the printed URI (${name})`, async () => {
      for (const kind of ['png', 'svg']) {
        const file = path.join(own.folder, `${name.replaceAll(' ', '-')}.${kind}`);
        const { stdout } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, ...words, '--qr-file', file]);
        const png = kind === 'svg' ? path.join(own.folder, 'from-svg.png') : file;
        if (kind === 'svg') must(['rsvg-convert', '--zoom', '2', '--output', png, file]);
        assert.equal(must(['zbarimg', '--raw', '-q', png]).trimEnd(), printedUri(stdout), kind);
        assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      }
    });
  }

  it('goes to stderr beside --json, and only where it was asked for', async () => {
    const words = ['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, '--json'];
    const plain = await own.notp(words);
    assert.doesNotMatch(plain.stderr, /URI:|Key:/);
    const drawn = await own.notp([...words, '--qr', 'ascii']);
    const { uri } = JSON.parse(drawn.stdout) as { uri: string };
    assert.equal(decoded(own.folder, drawingIn(drawn.stderr)), uri);
  });

  it('is not drawn with --qr none, while key and URI stay', async () => {
    const { stdout } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, '--qr', 'none']);
    assert.match(stdout, /^URI: otpauth:\S+\nKey: [A-Z2-7 ]+\nRecovery/);
  });

  it('overwrites no file, follows no symlink, and then enrols nobody', async () => {
    const taken = path.join(own.folder, 'taken.png');
    const link = path.join(own.folder, 'link.svg');
    fs.writeFileSync(taken, 'mine');
    fs.symlinkSync(path.join(own.folder, 'elsewhere.svg'), link);
    const earlier = own.snapshot();
    for (const file of [taken, link, path.join(own.folder, 'absent/x.png')]) {
      const { code, stdout } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, '--qr-file', file]);
      // Root writes into no folder that somebody may make meanwhile.
      assert.equal(code, process.getuid?.() === 0 && file.includes('/absent/') ? 2 : 3, file);
      assert.equal(stdout, '', 'a secret that was not enrolled was printed');
    }
    const { code, stderr } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, '--qr-file', 'x.jpg']);
    assert.equal(code, 2);
    assert.match(stderr, /must end in \.png or \.svg/);
    assert.equal(fs.readFileSync(taken, 'utf8'), 'mine');
    assert.ok(!fs.existsSync(path.join(own.folder, 'elsewhere.svg')));
    assert.deepEqual(own.snapshot(), earlier);
  });

  it(
    "goes as root through no folder and no symlink of somebody else's, and then enrols nobody",
    { skip: lacks({ root: true }) },
    async () => {
      const { home, aim } = steered(own.folder);
      const earlier = own.snapshot();
      for (const file of [`${home}/x.png`, `${home}/link/x.png`, `${home}/link/../x.png`, `${own.folder}/theirs/x.png`]) {
        const { code, stdout, stderr } = await own.notp(['enroll', ...ENROL, '--passphrase-file', own.passphraseFile, '--qr-file', file]);
        assert.deepEqual([code, stdout], [2, ''], file);
        assert.match(
          stderr,
          /(home belongs to somebody else|theirs is a symlink of somebody else)\nnotp: hint: name a file in a folder that only root can write/,
        );
      }
      assert.deepEqual([fs.readdirSync(aim), fs.readdirSync(home)], [[], ['link']]);
      assert.deepEqual(own.snapshot(), earlier);
    },
  );

  it('leaves no image of a secret that was not enrolled', { skip: lacks({ programs: ['python3'] }) }, async () => {
    const file = path.join(own.folder, 'given-up.png');
    const terminal = own.inTerminal([
      'enroll',
      '--seal',
      'passphrase',
      '--passphrase-file',
      own.passphraseFile,
      '--replace',
      '--qr-file',
      file,
    ]);
    await terminal.expect(/One-time code: /);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 1);
    assert.ok(!fs.existsSync(file));
  });

  for (const zone of [2, 4]) {
    it(`has a quiet zone of ${String(zone)} modules on each side, dark on light whatever the colours of the terminal`, () => {
      for (const style of QR_STYLES.filter((each) => each !== 'none')) {
        const bitmap = rendered(drawQr('otpauth://totp/x', style, ...(zone === 4 ? [] : [zone])));
        const dark = bitmap.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [{ x, y }] : [])));
        const width = bitmap[0]?.length ?? 0;
        assert.equal(Math.min(...dark.map(({ x }) => x)), zone, style);
        assert.equal(Math.max(...dark.map(({ x }) => x)), width - 1 - zone, style);
        assert.equal(Math.min(...dark.map(({ y }) => y)), zone, style);
        assert.ok(bitmap.length - 1 - Math.max(...dark.map(({ y }) => y)) >= zone, style);
      }
    });
  }
});

/** What stands between the URI and the key. */
function drawingIn(text: string): string {
  return /^URI: \S+\n([^]*)^Key: /m.exec(text)?.[1] ?? '';
}

function printedUri(stdout: string): string {
  return /^URI: (\S+)$/m.exec(stdout)?.[1] ?? '';
}

/** What zbarimg reads from a drawing. */
function decoded(folder: string, drawing: string): string {
  const file = path.join(folder, 'drawing.pgm');
  fs.writeFileSync(file, greyMap(rendered(drawing), 4));
  return must(['zbarimg', '--raw', '-q', file]).trimEnd();
}

type Bitmap = boolean[][];
/** A colour change (SGR, ECMA-48) or a character. */
const SGR_OR_CHARACTER = new RegExp(String.raw`${'\x1b'}\[([\d;]*)m|(.)`, 'gu');

/** What a terminal shows: blocks in their two colours, blanks in the background. `##` without colours is dark. */
function rendered(drawing: string): Bitmap {
  return drawing
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => (line.includes('\x1b') ? colouredRows(line) : [pairs(line.split('').map((character) => character === '#'))]));
}

/** The two rows of modules in a line of half blocks, or the one in a line of coloured blanks. */
function colouredRows(line: string): Bitmap {
  const upper: boolean[] = [];
  const lower: boolean[] = [];
  const dark = { foreground: false, background: false };
  for (const [, codes, character = ''] of line.matchAll(SGR_OR_CHARACTER)) {
    if (codes === undefined) {
      const [above, below] = halves(character);
      upper.push(above ? dark.foreground : dark.background);
      lower.push(below ? dark.foreground : dark.background);
    } else {
      for (const [, place, colour] of codes.matchAll(/(38|48);5;(16|231)/g))
        dark[place === '38' ? 'foreground' : 'background'] = colour === '16';
    }
  }
  return /[▀▄█]/.test(line) || line.includes('38;5') ? [upper, lower] : [pairs(upper)];
}

function halves(character: string): [boolean, boolean] {
  return [character === '▀' || character === '█', character === '▄' || character === '█'];
}

/** Two characters make one module. */
function pairs(row: readonly boolean[]): boolean[] {
  return row.filter((_, x) => x % 2 === 0);
}

/** A portable grey map (pgm(5)), `scale` pixels a module. */
function greyMap(bitmap: Bitmap, scale: number): Buffer {
  const width = (bitmap[0]?.length ?? 0) * scale;
  const rows = bitmap.flatMap((row) => {
    const line = Buffer.from(row.flatMap((isDark) => Array.from({ length: scale }, () => (isDark ? 0 : 255))));
    return Array.from({ length: scale }, () => line);
  });
  return Buffer.concat([Buffer.from(`P5 ${String(width)} ${String(rows.length)} 255\n`), ...rows]);
}
