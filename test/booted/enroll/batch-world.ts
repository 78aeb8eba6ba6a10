/** A booted host with many users, made by writing its account files, for the tests of `notp-enroll --batch`. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container, type InsideOptions } from '../../support/container.ts';
import type { Ran, Terminal } from '../../support/process.ts';
import { scratchFolder } from '../../support/world.ts';

/** What a test file that boots it passes to lacks(). */
export const BATCH_NEEDS = { ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'zbarimg'] } as const;

const FIRST_UID = 31_000;

export interface BatchWorld {
  readonly container: Container;
  /** `count` users with homes, called after `prefix`. */
  addUsers(prefix: string, count: number): string[];
  /** Writes the list of users and gives its name inside. */
  list(name: string, lines: readonly string[]): string;
  /** `notp-enroll` with these words, as root. */
  enroll(words: readonly string[], options?: InsideOptions): Promise<Ran>;
  inTerminal(words: readonly string[], options?: InsideOptions & { columns?: number }): Terminal;
  /** A file of the container, as a path outside. */
  outside(file: string): string;
  /** What the store holds on enrolments, by user. */
  enrolments(): Map<string, Row>;
  /** The id of the sealed file of `user` in `context`; undefined where there is none. */
  sealedId(user: string, context?: string): string | undefined;
}

export interface Row {
  readonly id: string;
  readonly pendingId: string;
  readonly status: string;
  readonly context: string;
}

/** Without `service` the units of the sockets are not installed. */
export async function bootBatch(name: string, { service = true }: { service?: boolean } = {}): Promise<BatchWorld> {
  const container = await bootContainer(name, (root) => {
    installInto(root);
    if (!service) fs.rmSync(path.join(root, 'etc/systemd/system/notp@.socket'));
  });
  await container.must(['notp', 'host-key', 'init']);
  const outside = (file: string): string => path.join(container.root, file);
  let uid = FIRST_UID;
  return {
    ...{ container, outside },
    addUsers: (prefix, count) => {
      const users = Array.from({ length: count }, (_, i) => ({ name: `${prefix}${String(i)}`, id: String(uid++) }));
      const append = (file: string, line: (user: { name: string; id: string }) => string): void => {
        fs.appendFileSync(outside(file), users.map((user) => `${line(user)}\n`).join(''));
      };
      append('/etc/passwd', (user) => `${user.name}:x:${user.id}:${user.id}::/home/${user.name}:/bin/bash`);
      append('/etc/shadow', (user) => `${user.name}:*:20000:0:99999:7:::`);
      append('/etc/group', (user) => `${user.name}:x:${user.id}:`);
      for (const user of users) {
        fs.mkdirSync(outside(`/home/${user.name}`), { mode: 0o755 });
        fs.chownSync(outside(`/home/${user.name}`), Number(user.id), Number(user.id));
      }
      return users.map((user) => user.name);
    },
    list: (file, lines) => {
      fs.writeFileSync(outside(`/root/${file}`), lines.map((line) => `${line}\n`).join(''));
      return `/root/${file}`;
    },
    enroll: (words, options) => container.run(['notp-enroll', ...words], { timeoutMs: 500_000, ...options }),
    inTerminal: (words, options) => container.inTerminal(['notp-enroll', ...words], options),
    enrolments: () => new Map(rows(outside('/var/lib/notp/state.db')).map((row) => [row['user'] as string, enrolmentOf(row)])),
    sealedId: (user, context = 'ssh') => {
      const file = outside(`/home/${user}/.notp/${context}`);
      return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as { id: string }).id : undefined;
    },
  };
}

/** What a hand-out says. */
export interface Read {
  readonly id: string;
  readonly key: string;
  readonly uri: string;
  readonly recovery: readonly string[];
}

export function readHandout(file: string): Read {
  const text = fs.readFileSync(file, 'utf8');
  const found = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  return {
    id: found(/^Enrolment: ([0-9a-f]{32})$/m),
    key: found(/^ +Key: ([A-Z2-7 ]+)$/m).replaceAll(' ', ''),
    uri: found(/^ +URI: (\S+)$/m),
    recovery: text.match(/^ +[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}$/gm)?.map((code) => code.trim()) ?? [],
  };
}

/** Of a copy: SQLite does not find its way into the root of a container. */
function rows(original: string): Record<string, unknown>[] {
  const database = path.join(scratchFolder('rows'), 'state.db');
  fs.copyFileSync(original, database);
  const store = new DatabaseSync(database, { readOnly: true });
  try {
    return store
      .prepare('SELECT * FROM enrolment')
      .all()
      .map((row) => ({ ...row }));
  } finally {
    store.close();
  }
}

function enrolmentOf(row: Record<string, unknown>): Row {
  return {
    id: String(row['id']),
    pendingId: String(row['pending_id']),
    status: String(row['status']),
    context: String(row['context']),
  };
}
