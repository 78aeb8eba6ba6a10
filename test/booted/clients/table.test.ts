/** The table of docs/clients.md is what the suite drives, and its functions for a shell do what it says. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { describe, it } from 'node:test';
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

describe('the functions for a shell in docs/clients.md', () => {
  it('give a code to one command and to no ssh that is called as ever', async () => {
    const [, functions = ''] = /```sh\n(# ~\/\.bashrc\n[^]*?)```/.exec(fs.readFileSync(PAGE, 'utf8')) ?? [];
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'notp-functions-'));
    fs.writeFileSync(path.join(folder, 'ssh'), '#!/bin/sh\necho "$1: ${LC_NOTP-none}"\n', { mode: 0o755 });
    const script = `${functions}\nwith_code ssh one <<<123456\nssh two\nexport LC_NOTP=654321\nssh three`;
    const { stdout } = await run(['bash', '-c', script], { environment: { PATH: `${folder}:${process.env['PATH'] ?? ''}` } });
    fs.rmSync(folder, { recursive: true });
    assert.equal(stdout, 'one: 123456\ntwo: none\nthree: none\n');
  });
});
