/** `notp demo` shows all of a secret that guards nothing, and keeps none of it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { acrossLines, run, runInTerminal, type Ran, type Terminal } from '../../support/process.ts';
import { openScreen } from '../../support/tmux.ts';
import { lacks, nodeVariables, oathCode, scratchFolder, SOURCE_NOTP } from '../../support/world.ts';
import { plainCodeOn, untilShown } from './live-world.ts';

const DEMO = [...SOURCE_NOTP, 'demo'];
const ESC = '\x1b';
const STEP_SECONDS = 30;

let home: string;
before(() => {
  home = scratchFolder('demo');
});

async function demo(...words: readonly string[]): Promise<Ran> {
  return await run([...DEMO, ...words], { environment: { HOME: home } });
}

function inTerminal(words: readonly string[], environment: NodeJS.ProcessEnv, columns = 80): Terminal {
  const common = {
    ...nodeVariables({ covered: false }),
    PATH: process.env['PATH'],
    HOME: home,
    TERM: 'xterm',
    LC_ALL: 'C.UTF-8',
    PYTHONCOERCECLOCALE: '0',
  };
  return runInTerminal([...DEMO, ...words], { columns, clearEnvironment: true, environment: { ...common, ...environment } });
}

function secretIn(uri: string): string {
  return new URL(uri).searchParams.get('secret') ?? '';
}

/** The codes that were right in the last seconds. */
function codesOf(secret: string): string[] {
  return [oathCode(secret, { offsetSeconds: -10 }), oathCode(secret)];
}

describe('notp demo without a terminal', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  it('prints QR code, key, URI and, as last line, the code', async () => {
    const { code, stdout, stderr } = await demo();
    assert.equal(code, 0);
    assert.match(stderr, /nothing is stored, and it protects nothing/);
    const [, uri = '', drawing = '', key = '', shown = ''] = /^URI: (\S+)\n([ #\n]+)Key: ([A-Z2-7 ]+)\n(\d{6})\n$/.exec(stdout) ?? [];
    assert.ok(drawing.split('\n').length > 30, stdout);
    assert.equal(key.replaceAll(' ', ''), secretIn(uri));
    assert.ok(codesOf(secretIn(uri)).includes(shown));
    assert.match(uri, /^otpauth:\/\/totp\/notp%20demo:nobody\?/);
  });

  it('prints one JSON object with --json, as long as the code is valid', async () => {
    const from = Math.floor(Date.now() / 1000);
    const { code, stdout } = await demo('--json');
    const to = Math.floor(Date.now() / 1000);
    assert.equal(code, 0);
    const told = JSON.parse(stdout) as Record<string, unknown> & { uri: string; secret: string; valid_seconds: number; code: string };
    const { uri, secret, code: shown, valid_seconds: left, ...rest } = told;
    assert.deepEqual(rest, { issuer: 'notp demo', account: 'nobody', algorithm: 'SHA1', digits: 6, period: STEP_SECONDS });
    assert.equal(secretIn(uri), secret);
    assert.ok(codesOf(secret).includes(shown));
    assert.ok(left >= 1 && left <= STEP_SECONDS);
    const moments = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    assert.ok(moments.some((at) => (at + left) % STEP_SECONDS === 0));
  });

  it('has another secret of 160 bits each time, and stores nothing', async () => {
    const all = [await demo('--json'), await demo('--json')].map(({ stdout }) => (JSON.parse(stdout) as { secret: string }).secret);
    assert.equal(new Set(all).size, 2);
    for (const secret of all) assert.match(secret, /^[A-Z2-7]{32}$/);
    assert.deepEqual(fs.readdirSync(home), []);
  });

  it('draws the QR code as --qr says, or not at all', async () => {
    assert.ok((await demo('--qr', 'unicode')).stdout.includes('▀'));
    assert.match((await demo('--qr', 'none')).stdout, /^URI: \S+\nKey: [A-Z2-7 ]+\n\d{6}\n$/);
  });
});

describe('notp demo in a terminal', { skip: lacks({ programs: ['python3', 'oathtool', 'tmux', 'stty'] }) }, () => {
  it('shows QR code, key and URI, and codes on one line until Ctrl-C, which leaves no code behind', async () => {
    const screen = await openScreen(110, 50);
    const modes = screen.modes();
    screen.enter(DEMO);
    const lines = await untilShown(screen);
    const secret = secretIn(/^URI: (\S+)/m.exec(lines.join('\n'))?.[1] ?? '');
    assert.ok(lines.some((line) => line.includes('▀▀')));
    const shown = plainCodeOn(lines) ?? '';
    assert.ok(codesOf(secret).includes(shown), `${shown} is no code of ${secret}`);
    screen.press('C-c');
    assert.equal(await screen.prompt(), 0);
    assert.equal(plainCodeOn(screen.everything().split('\n')), undefined);
    assert.deepEqual(screen.state(), { cursor: true, alternate: false });
    assert.equal(screen.modes(), modes);
  });

  it('hints where the QR code does not fit, and shows the rest', async () => {
    const terminal = inTerminal([], {}, 36);
    await terminal.expect(/\d{3} \d{3} {2}/);
    terminal.send('q');
    assert.equal(await terminal.exited, 0);
    assert.match(terminal.output(), acrossLines(/the QR code needs \d+ columns, and this terminal has 36: widen it/));
    assert.match(terminal.output(), /\nURI: otpauth:\S+\r\nKey: [A-Z2-7 ]+\r\n/);
    assert.ok(!terminal.output().includes('▀▀'));
  });

  it('draws with colours and ASCII where UTF-8 is not shown', async () => {
    const terminal = inTerminal([], { LC_ALL: 'C' }, 130);
    await terminal.expect(/\d{3} \d{3} {2}\[#/);
    terminal.send('q');
    assert.equal(await terminal.exited, 0);
    assert.ok(terminal.output().includes(`${ESC}[48;5;16m${' '.repeat(14)}${ESC}[48;5;231m`));
    assert.doesNotMatch(terminal.output(), /[^\0-\x7f]/);
  });

  it('writes no escape sequence to a dumb terminal, and wipes the last code', async () => {
    const terminal = inTerminal([], { TERM: 'dumb' }, 130);
    await terminal.expect(/\d{3} \d{3} {2}\[#/);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes(ESC));
    assert.match(terminal.output(), /\r {129}\rnotp: hint: a second factor [^\n]*\nnotp: hint: the codes of another service [^\n]*\n$/);
  });
});
