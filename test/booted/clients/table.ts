/** The table of docs/clients.md, from the data of the suite. Run by itself it writes it: node test/booted/clients/table.ts */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { markdownTable, tableOf, withTable } from '../../support/markdown.ts';
import { ROOT } from '../../support/process.ts';
import type { Client, Door } from './client.ts';
import { OPENSSH } from './openssh.ts';
import { OTHERS } from './others.ts';

export const PAGE = path.join(ROOT, 'docs/clients.md');
export const CLIENTS: readonly Client[] = [...OPENSSH, ...OTHERS];

const HEAD = ['client', 'version', 'PAM door', 'pam_google_authenticator', 'gate', 'without a code at the gate'];

/** `text` of the page with the table in its place, and in it the versions that `versionOf` gives. */
export function withClients(text: string, versionOf: (client: Client) => string): string {
  return withTable(
    text,
    'clients',
    markdownTable(
      HEAD,
      CLIENTS.map((client) => rowOf(client, versionOf(client))),
    ),
  );
}

/** The version that the page has. */
export function versionIn(text: string): (client: Client) => string {
  const rows = tableOf(text, 'clients');
  return ({ name }) => rows.find(([first]) => first === name)?.[1] ?? '';
}

function rowOf({ name, ways, told: [told] }: Client, version: string): string[] {
  const cell = (door: Door): string => {
    const way = ways[door];
    return typeof way === 'string' ? way : way.how;
  };
  return [name, version, cell('pam'), cell('google'), cell('gate'), told];
}

/** The upstream version of a package: without epoch and revision of Debian. */
function installedVersion({ from }: Client): string {
  return execFileSync('dpkg-query', ['--show', '--showformat=${Version}', from], { encoding: 'utf8' })
    .replace(/^\d+:/, '')
    .replace(/[-+~].*$/, '');
}

if (import.meta.main) fs.writeFileSync(PAGE, withClients(fs.readFileSync(PAGE, 'utf8'), installedVersion));
