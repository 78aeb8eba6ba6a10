/**
 * What a person sees of each command that shows something and asks nothing, on every kind of terminal and in a pipe: kept in screens/ for
 * readers, one file for each kind; NOTP_SCREENS=write writes them again.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { openScreen } from '../support/tmux.ts';
import { lacks, must, SBIN_PATH } from '../support/world.ts';
import { assertKept, TERMINALS } from './screens-kept.ts';
import { screensWorld, type ScreensWorld } from './screens-world.ts';

const NEEDS = { root: true, programs: ['unshare', 'tmux'] };
const LONG_NAME = 'https://accounts.example.org/a-very-long-issuer-of-a-name';
const STEAM = 'otpauth://totp/Steam:bob?secret=JBSWY3DPEHPK3PXP&encoder=steam\n';

function uri(issuer: string, account: string): string {
  return `otpauth://totp/${encodeURIComponent(issuer)}:${account}?secret=JBSWY3DPEHPK3PXP&issuer=${encodeURIComponent(issuer)}\n`;
}

/** What is typed at which question or screen, in the order of ASKING in command-screens.ts; `kept`: the screen then is one to keep. */
const ANSWERS: readonly (readonly [seen: RegExp, keys: readonly string[], kept?: 'kept'])[] = [
  [/Passphrase for github:$/, ['correct horse', 'Enter']],
  [/q or Ctrl-C ends$|^\d{3} \d{3} .*30 s$/m, ['q'], 'kept'],
  [/Passphrase:$/, ['correct horse', 'Enter']],
  [/github .*30 s\ngitlab .*30 s\nq or Ctrl-C ends$/, ['q'], 'kept'],
  [/\(empty: names\s+only\):$/, ['Enter']],
  [/not\s+shown\):$/, ['JBSWY3DPEHPK3PXP', 'Enter']],
  [/New passphrase:$/, ['correct horse', 'Enter']],
  [/The same again:$/, ['correct horse', 'Enter']],
  [/One-time code:$/, ['000000', 'Enter']],
  [/row\nOne-time code:$/, ['C-c']],
  [/Type\s+yes:$/, ['no', 'Enter']],
  [/\(refused\)[^]*Type\s+yes:$/, ['yes', 'Enter']],
  [/Removed[^]*Type\s+yes:$/, ['yes', 'Enter']],
];

/** `shown` without what is another one in each run: references and pids, and the sums that come of them. */
function lasting(shown: string): string {
  return shown
    .trimEnd()
    .replaceAll(/\b[0-9a-f]{8}\b/g, '00112233')
    .replaceAll(/"pid":\d+/g, '"pid":4711')
    .replaceAll(/(?<="prev":")[0-9a-f]{64}/g, '0'.repeat(64));
}

describe('the kept screens of the commands', { skip: lacks(NEEDS) }, () => {
  let world: ScreensWorld;
  let filled: string;
  let srv: string;
  before(() => {
    world = screensWorld('web01');
    [srv, filled] = [path.join(world.folder, 'srv'), path.join(world.folder, 'filled')];
    const put = (name: string, content: string): void => {
      fs.writeFileSync(path.join(srv, name), content, { mode: 0o600 });
    };
    put('passphrase', 'correct horse\n');
    put('weak', 'password\n');
    put('shop.txt', uri('Shop', 'me') + uri('Shop', 'work') + STEAM);
    put('github', uri('GitHub', 'somebody@example.org'));
    put('gitlab', uri(LONG_NAME, 'somebody@example.org'));
    for (const name of ['github', 'gitlab'])
      must([`${world.bin}/notp`, 'import', name, '--file', `/srv/${name}`, '--passphrase-file', '/srv/passphrase']);
    must([`${world.bin}/notp-enroll`, 'alice', '--no-confirm', '--json']);
    must(['cp', '-a', srv, filled]);
  });

  /** Whatever the commands have changed is as before them. */
  function restore(): void {
    for (const name of fs.readdirSync(srv)) fs.rmSync(path.join(srv, name), { recursive: true });
    must(['cp', '-a', `${filled}/.`, srv]);
  }

  for (const [name, { columns, rows, environment, term }] of Object.entries(TERMINALS)) {
    it(`are those of ${name}`, async () => {
      restore();
      const screen = await openScreen(columns, rows, { PATH: `${world.bin}:${SBIN_PATH}`, ...environment });
      screen.enter([...(term === undefined ? [] : ['env', `TERM=${term}`]), 'commands'], '</dev/null');
      await screen.until((lines) => (/^\d+ready>$/.test(lines.at(-1) ?? '') && lines.length > 1 ? true : undefined), 60_000);
      const shown = screen.everything().replaceAll(/ +$/gm, '').split('\n').slice(1, -1).join('\n');
      assertKept(`commands-${name}`, `${String(columns)} columns, ${String(rows)} rows`, [lasting(shown)]);
    });
  }

  for (const [name, { columns, rows, environment, term }] of Object.entries(TERMINALS)) {
    it(`of those that ask or stay are those of ${name}`, async () => {
      restore();
      const screen = await openScreen(columns, rows, { PATH: `${world.bin}:${SBIN_PATH}`, ...environment });
      screen.enter([...(term === undefined ? [] : ['env', `TERM=${term}`]), 'commands', 'asking']);
      const kept: string[] = [];
      for (const [seen, keys, isKept] of ANSWERS) {
        // Without moves of the cursor the table is printed once.
        if (term === 'dumb' && seen.source.startsWith('github')) continue;
        const shown = await screen.until((lines) => (seen.test(lines.join('\n')) ? lines.join('\n') : undefined));
        if (isKept) kept.push(shown);
        screen.press(...keys);
      }
      await screen.prompt();
      const whole = screen.everything().replaceAll(/ +$/gm, '').split('\n').slice(1, -1).join('\n');
      assertKept(`asking-${name}`, `${String(columns)} columns, ${String(rows)} rows`, [...kept, lasting(whole)]);
    });
  }

  it('are those of pipes, without a control character', async () => {
    for (const [name, word] of [
      ['commands', ''],
      ['asking', 'asking'],
    ] as const) {
      restore();
      const { stdout } = await run(['setsid', '--wait', 'sh', '-c', `"${world.bin}/commands" ${word} 2>&1 </dev/null`], {
        clearEnvironment: true,
        environment: { PATH: SBIN_PATH },
      });
      // oxlint-disable-next-line no-control-regex -- it searches for control characters
      assert.doesNotMatch(stdout, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      assertKept(`${name}-piped`, 'no terminal', [lasting(stdout)]);
    }
  });
});
