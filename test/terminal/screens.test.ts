/**
 * What a person sees of a new secret: all that matters at once, in a picture that scans, whatever the terminal. The screens are kept in
 * screens/, for readers; NOTP_SCREENS=write writes them again.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { toBase32 } from '../../src/otp/code.ts';
import { parseOtpauthUri } from '../../src/otp/uri.ts';
import { scan, THEMES } from '../support/picture.ts';
import { run } from '../support/process.ts';
import { openScreen, type Screen } from '../support/tmux.ts';
import { lacks, must, SBIN_PATH } from '../support/world.ts';
import { assertKept, TERMINALS, USUAL, type TerminalKind } from './screens-kept.ts';
import { FIXED_MS, screensWorld, type ScreensWorld } from './screens-world.ts';

const NEEDS = { root: true, programs: ['unshare', 'tmux', 'zbarimg', 'rsvg-convert', 'oathtool'] };
const ENROLL = ['notp-enroll', 'alice'];
const DEMO = ['notp', 'demo'];

/** A screen on which `command` has shown a secret. */
async function opened(
  world: ScreensWorld,
  command: readonly string[],
  { columns, rows, environment, term }: TerminalKind,
): Promise<Screen> {
  const screen = await openScreen(columns, rows, { PATH: `${world.bin}:${SBIN_PATH}`, ...environment });
  screen.enter([...(term === undefined ? [] : ['env', `TERM=${term}`]), ...command]);
  await screen.until((lines) => (/^(One-time code:|\d{3} \d{3} )/.test(lines.at(-1) ?? '') ? true : undefined));
  return screen;
}

/** The secret whose key stands beside the QR code. */
function keyBeside(lines: readonly string[]): string {
  const [, first = '', second = ''] = /Key: ([A-Z2-7 ]+)\n.* {7}([A-Z2-7 ]+)$/m.exec(lines.join('\n')) ?? [];
  return `${first}${second}`.replaceAll(' ', '');
}

function codeOf(secret: string): string {
  return must(['oathtool', '--totp', '--now', `@${String(FIXED_MS / 1000)}`, '-b', secret]).trim();
}

describe('on 80 columns and 24 rows', { skip: lacks(NEEDS) }, () => {
  const hosts = ['web01', 'server01.example.com', 'ip-10-0-12-34.ec2.internal', 'web-frontend-01.prod.example.com'];
  for (const host of hosts) {
    it(`an enrolment on ${host} shows QR code, key, what to do and the question together, and scans in every theme`, async () => {
      const world = screensWorld(host);
      const screen = await opened(world, ENROLL, USUAL);
      const lines = screen.lines();
      assert.doesNotMatch(lines.join('\n'), /hint:/);
      assert.match(lines.join('\n'), / Scan this with an authenticator/);
      const secret = keyBeside(lines);
      assert.match(secret, /^[A-Z2-7]{32}$/);
      for (const [name, theme] of Object.entries(THEMES)) {
        const { secret: bytes, issuer, account } = parseOtpauthUri(scan(world.folder, screen, USUAL.columns, theme));
        assert.deepEqual([toBase32(bytes), issuer, account], [secret, host, `alice@${host}`], name);
      }
    });
  }

  it('the demo shows all of itself together with its live code, and scans in every theme', async () => {
    const world = screensWorld('web01');
    const screen = await opened(world, DEMO, USUAL);
    const lines = screen.lines();
    assert.match(lines[0] ?? '', /^0ready> notp demo/);
    const secret = keyBeside(lines);
    assert.equal(lines.at(-1)?.slice(0, 7).replace(' ', ''), codeOf(secret));
    for (const [name, theme] of Object.entries(THEMES)) {
      const { secret: bytes, issuer, account } = parseOtpauthUri(scan(world.folder, screen, USUAL.columns, theme));
      assert.deepEqual([toBase32(bytes), issuer, account], [secret, 'notp demo', 'nobody'], name);
    }
  });
});

it('an enrolment by root ends with a new login of the user where a door is open', { skip: lacks(NEEDS) }, async () => {
  const world = screensWorld('web01');
  fs.mkdirSync(path.join(world.folder, 'etc/pam.d'));
  fs.writeFileSync(path.join(world.folder, 'etc/pam.d/sshd'), 'auth requisite pam_exec.so expose_authtok stdout quiet /usr/bin/notp pam\n');
  const { stderr } = await run([path.join(world.bin, 'notp-enroll'), 'alice', '--no-confirm', '--json']);
  assert.match(stderr, /^Enrolled alice for ssh: \S+\nnotp: hint: keep this session open until a new login of alice has worked\n$/m);
});

describe('where it cannot be as usual', { skip: lacks(NEEDS) }, () => {
  it('names too long for 24 rows are told by how many rows they need', async () => {
    const host = 'ip-10-0-12-34.eu-central-1.compute.internal';
    const screen = await opened(screensWorld(host), ENROLL, USUAL);
    assert.match(
      screen.everything().replaceAll(/\n */g, ' '),
      /hint: all of this needs 26 rows, and this terminal has 24: make it higher, or give --qr-file/,
    );
    const higher = await opened(screensWorld(host), ENROLL, { columns: 80, rows: 26 });
    assert.doesNotMatch(higher.everything(), /hint:/);
    assert.match(higher.lines()[0] ?? '', /^ *$/);
  });

  it('a terminal that tells no size, as a serial console, is taken for one of 80 columns and 24 rows', async () => {
    const world = screensWorld('web01');
    const screen = await openScreen(80, 24, { PATH: `${world.bin}:${SBIN_PATH}` });
    screen.enter(['stty', 'rows', '0', 'cols', '0']);
    await screen.prompt();
    screen.enter(ENROLL);
    await screen.until((lines) => (lines.at(-1)?.startsWith('One-time code:') === true ? true : undefined));
    assert.doesNotMatch(screen.everything(), /hint:|0 columns/);
    assert.equal(toBase32(parseOtpauthUri(scan(world.folder, screen, 80, THEMES.dark)).secret), keyBeside(screen.lines()));
    screen.press('C-c');
    await screen.prompt();
    screen.enter([...ENROLL, '--qr', 'ansi', '--account', 'alice@server01.example.com']);
    await screen.until((lines) => (lines.at(-1)?.startsWith('One-time code:') === true ? true : undefined));
    assert.match(
      screen.everything().replaceAll(/\n */g, ' '),
      /the QR code needs 82 columns, and this terminal tells no size, so 80 are assumed/,
    );
  });

  for (const environment of [{ LC_ALL: 'C' }, { LC_ALL: 'C', NO_COLOR: '1' }]) {
    it(`a locale without half blocks gets colours, which scan in every theme: ${JSON.stringify(environment)}`, async () => {
      const world = screensWorld('web01');
      const terminal = { columns: 110, rows: 44, environment };
      const screen = await opened(world, ENROLL, terminal);
      assert.doesNotMatch(screen.everything(), /hint:|[^\x20-\x7e\n]/);
      for (const theme of Object.values(THEMES))
        assert.equal(toBase32(parseOtpauthUri(scan(world.folder, screen, terminal.columns, theme)).secret), keyBeside(screen.lines()));
    });
  }

  it('a terminal that knows no sequences gets ##, each width told truly', async () => {
    const screen = await opened(screensWorld('web01'), ENROLL, { columns: 73, rows: 44, term: 'dumb' });
    assert.match(
      screen.everything().replaceAll(/\n */g, ' '),
      /the QR code needs 74 columns, and this terminal has 73: widen it, or give --qr-file/,
    );
    const wider = await opened(screensWorld('web01'), ENROLL, { columns: 74, rows: 44, term: 'dumb' });
    assert.match(wider.everything(), /^ {4}#{14}/m);
    assert.match(wider.everything(), /hint: few apps can scan ##: type in the key, or give --qr-file/);
    assert.ok(!wider.painted().join('').includes('\x1b'));
  });
});

const BLACK_BLANKS = new RegExp(String.raw`${'\x1b'}\[48;5;16m +`, 'g');

/** A screen as text, with `#` for blanks on black. */
function readable(screen: Screen): string {
  const text = screen
    .painted()
    .join('\n')
    .replaceAll(BLACK_BLANKS, (blanks) => '#'.repeat(stripVTControlCharacters(blanks).length));
  return stripVTControlCharacters(text).replaceAll(/ +$/gm, '').trimEnd();
}

describe('the kept screens', { skip: lacks(NEEDS) }, () => {
  for (const [name, terminal] of Object.entries(TERMINALS)) {
    const what = `${String(terminal.columns)} columns, ${String(terminal.rows)} rows${terminal.environment === undefined ? '' : `, ${JSON.stringify(terminal.environment)}`}`;

    it(`are those of an enrolment: ${name}`, async () => {
      const screen = await opened(screensWorld('web01'), ENROLL, terminal);
      const question = readable(screen);
      const uri = /URI: (otpauth:\S+)/.exec(screen.everything().replaceAll(/(?<=URI: [^ ]*)\n(?=\S)/g, ''))?.[1] ?? '';
      screen.press(codeOf(new URL(uri).searchParams.get('secret') ?? ''), 'Enter');
      assert.equal(await screen.prompt(), 0);
      assertKept(`enroll-${name}`, what, [question, readable(screen)]);
    });

    it(`are those of the demo: ${name}`, async () => {
      const screen = await opened(screensWorld('web01'), DEMO, terminal);
      const live = readable(screen);
      screen.press('q');
      assert.equal(await screen.prompt(), 0);
      assertKept(`demo-${name}`, what, [live, readable(screen)]);
    });
  }

  for (const [name, command] of [
    ['enroll', [...ENROLL, '--no-confirm']],
    ['demo', DEMO],
  ] as const) {
    it(`are those of what goes into pipes: ${name}`, async () => {
      const [program = '', ...words] = command;
      const { code, stdout, stderr } = await run([path.join(screensWorld('web01').bin, program), ...words], {
        clearEnvironment: true,
        environment: { PATH: SBIN_PATH },
      });
      assert.equal(code, 0);
      assertKept(`${name}-piped`, command.join(' '), [`stdout:\n${stdout}`, `stderr:\n${stderr}`]);
    });
  }
});
