/** The table of docs/clients.md is what the suite drives. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
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
