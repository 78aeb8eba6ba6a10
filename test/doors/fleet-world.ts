/** Hosts with a PAM door each, whose store is one PostgreSQL. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { hashOf } from '../../src/audit/chain.ts';
import { auditKey, rowKey, rowMac } from '../../src/seal/keys.ts';
import { encoded } from '../../src/store/row-seal.ts';
import { PASSWORD, ROLE, type Postgres } from '../support/postgres.ts';
import { builtNotp, scratchFolder, serviceUser } from '../support/world.ts';
import { pamWorld, succeed, type PamWorld } from './pam-world.ts';

export const FLEET_DATABASE = 'notp';

export interface FleetOptions {
  readonly hostKey: Uint8Array;
  /** Lines of the configuration before all tables. */
  readonly top?: string;
  /** Who it is to the server. */
  readonly role?: string;
  /** As the host reaches the server. */
  readonly address?: string;
  /** Tables at its end. */
  readonly tables?: string;
  /** Lines of its table [store]. */
  readonly store?: readonly string[];
  /** Whether it lets users in who are approved while it cannot reach the server. */
  readonly outage?: boolean;
}

/** A host called `name` on the database of `server`, whose tables are made where they are not there. */
export async function fleetHost(server: Postgres, name: string, options: FleetOptions): Promise<PamWorld> {
  const { hostKey, top = '', tables = '', address = 'localhost', role = ROLE, store = [], outage = false } = options;
  const files = path.join(server.folder, name);
  fs.writeFileSync(`${files}.pem`, server.authority, { mode: 0o644 });
  fs.writeFileSync(`${files}.password`, `${PASSWORD}\n`, { mode: 0o400 });
  const lines = [
    `url = "postgres://${role}@${address}:${String(server.port)}/${FLEET_DATABASE}"`,
    `password_file = "${files}.password"`,
    `ca_file = "${files}.pem"`,
    `host = "${name}"`,
    ...store,
    ...(outage ? ['outage = "local"', `outage_file = "${outageFile(name)}"`] : []),
  ];
  return await pamWorld(`fleet-${name}`, {
    top,
    tables,
    store: lines.join('\n'),
    hostKey,
    prepare: async ({ config, service }) => {
      fs.chownSync(`${files}.password`, service.uid, service.gid);
      if (role === ROLE) await succeed([builtNotp(), 'store', 'migrate', '--config', config]);
    },
  });
}

/** Where the copy of a host is, in a folder of the service. */
function outageFile(name: string): string {
  const folder = path.join(scratchFolder(`outage-${name}`), 'var');
  const { uid, gid } = serviceUser();
  fs.mkdirSync(folder, { mode: 0o700 });
  fs.chownSync(folder, uid, gid);
  return path.join(folder, 'outage.db');
}

/** Until the codes of this moment are over. */
export async function nextStep(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 30_000 - (Date.now() % 30_000) + 100));
}

/** The id of the log that the store has for a host. */
export function logIdOf(server: Postgres, host: string): string {
  return server.sql(`SELECT log FROM notp.host WHERE name = '${host}' ORDER BY number DESC LIMIT 1`, FLEET_DATABASE).trim();
}

/**
 * What root of a host can do to its log: gives it with the record `changed` made an acceptance, all after it hashed anew, nothing after record
 * `end`, and the head in the store moved.
 */
export function writtenAnew(
  server: Postgres,
  {
    log,
    host,
    hostKey,
    changed,
    end,
  }: { readonly log: string; readonly host: string; readonly hostKey: Uint8Array; readonly changed: number; readonly end?: number },
): string {
  const lines: string[] = [];
  let head = { seq: 0, hash: '0'.repeat(64) };
  for (const line of fs.readFileSync(log, 'utf8').trim().split('\n').slice(0, end)) {
    const told = head.seq === changed - 1 ? line.replace('login.refused', 'login.accepted') : line;
    lines.push(`${told.replace(/"prev":"[0-9a-f]+"\}$/, `"prev":"${head.hash}"}`)}\n`);
    head = { seq: head.seq + 1, hash: hashOf(Buffer.from(lines.at(-1) ?? ''), auditKey(hostKey)) };
  }
  const id = logIdOf(server, host);
  const mac = rowMac(rowKey(hostKey), encoded('chain', { ...head, log: id, lacking: 0 }));
  server.sql(`UPDATE notp.chain SET seq = ${String(head.seq)}, hash = '${head.hash}', mac = '${mac}' WHERE log = '${id}'`, FLEET_DATABASE);
  return lines.join('');
}
