/** The table of docs/clients.md is what the suite drives, and its functions for a shell do what it says. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, describe, it } from 'node:test';
import { run } from '../../support/process.ts';
import { CLIENTS, PAGE, versionIn, withClients } from './table.ts';

describe('the table of clients', () => {
  it('stands in docs/clients.md as the data of the suite have it (node test/booted/clients/table.ts writes it)', () => {
    const text = fs.readFileSync(PAGE, 'utf8');
    assert.equal(text, withClients(text, versionIn(text)));
  });

  it('has each one once, with the version that was tried', () => {
    const version = versionIn(fs.readFileSync(PAGE, 'utf8'));
    assert.equal(new Set(CLIENTS.map(({ name }) => name)).size, CLIENTS.length);
    for (const client of CLIENTS) assert.match(version(client), /^\d/, client.name);
  });

  it('says that what works at pam_google_authenticator works at the PAM door', () => {
    for (const { name, ways } of CLIENTS) assert.ok(typeof ways.google === 'string' || typeof ways.pam !== 'string', name);
  });
});

describe('what docs/clients.md gives for a code in a variable', () => {
  const page = fs.readFileSync(PAGE, 'utf8');
  const [hosts, functions] = [/```\n# ~\/\.ssh\/config\n([^`]*SendEnv[^`]*)```/g, /```sh\n(# ~\/\.bashrc\n[^]*?)```/g].map((block) =>
    [...page.matchAll(block)].map(([, text = '']) => text),
  ) as [string[], string[]];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'notp-functions-'));
  after(() => {
    fs.rmSync(folder, { recursive: true });
  });
  /** What ssh has in `variable` each time that `script` calls it. */
  const said = async (variable: string, script: string): Promise<string> => {
    fs.writeFileSync(path.join(folder, 'ssh'), `#!/bin/sh\necho "$1: \${${variable}-none}"\n`, { mode: 0o755 });
    return (await run(['bash', '-c', script], { environment: { PATH: `${folder}:${process.env['PATH'] ?? ''}` } })).stdout;
  };
  /** The variables that ssh sends to `host`, with `own` lines before those of Debian. */
  const sent = async (own: string, host: string): Promise<string[]> => {
    const file = path.join(folder, 'config');
    fs.writeFileSync(file, `${own}\nHost *\n  SendEnv -LC_*\nHost *\n  SendEnv LANG LC_*\n`);
    const { stdout } = await run(['ssh', '-F', file, '-G', host]);
    return [...stdout.matchAll(/^sendenv (.*)$/gim)].map(([, name = '']) => name);
  };

  it('gives a code to one command and to no ssh that is called as ever', async () => {
    const [open = '', own = ''] = functions;
    const called = 'with_code ssh one <<<123456\nssh two\n';
    assert.equal(await said('LC_NOTP', `${open}\n${called}export LC_NOTP=654321\nssh three`), 'one: 123456\ntwo: none\nthree: none\n');
    assert.equal(await said('NOTP_CODE', `${own}\n${called}`), 'one: 123456\ntwo: none\n');
  });

  it('sends NOTP_CODE to that one host, and LC_NOTP to every other too, as Debian has ssh do: no line takes that back', async () => {
    const [open = '', own = ''] = hosts;
    assert.deepEqual(await sent(own, 'server'), ['NOTP_CODE', 'LANG', 'LC_*']);
    assert.deepEqual(await sent(own, 'other'), ['LANG', 'LC_*']);
    assert.deepEqual(await sent(open, 'other'), ['LANG', 'LC_*']);
  });
});
