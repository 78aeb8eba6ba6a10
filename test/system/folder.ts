/** Hostile things in place of a trusted file, and the user whose file it should be. */
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import type { User } from '../../src/system/users.ts';
import { atEnd } from '../support/cleanup.ts';
import { must, scratchFolder } from '../support/world.ts';

/** Whoever runs the tests, with a throw-away home. */
export function userWithHome(name: string): User {
  const home = path.join(scratchFolder(name), 'home');
  fs.mkdirSync(home, { mode: 0o755 });
  return { name: 'alice', uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1, home, shell: '/bin/sh' };
}

export interface Hostile {
  readonly what: string;
  readonly why: RegExp;
  /** Only root can make it. */
  readonly root?: boolean;
  /** Puts it at `place`, where nothing is. `good` is what should be there. */
  readonly put: (place: string, good: string | Uint8Array) => void | Promise<void>;
}

function write(place: string, good: string | Uint8Array): void {
  fs.writeFileSync(place, good, { mode: 0o600 });
}

/** Things that are no private regular file of the user. */
export const NO_PRIVATE_FILE: readonly Hostile[] = [
  {
    what: 'a symlink to a good file',
    why: /is a symlink$/,
    put: (place, good) => {
      write(`${place}.target`, good);
      fs.symlinkSync(`${place}.target`, place);
    },
  },
  {
    what: 'a symlink to nothing',
    why: /is a symlink$/,
    put: (place) => {
      fs.symlinkSync('/nowhere', place);
    },
  },
  {
    what: 'a symlink to itself',
    why: /is a symlink$/,
    put: (place) => {
      fs.symlinkSync(place, place);
    },
  },
  {
    what: 'a good file with a second name',
    why: /more than one name/,
    put: (place, good) => {
      write(place, good);
      fs.linkSync(place, `${place}.other`);
    },
  },
  { what: 'a FIFO', why: /is no regular file$/, put: (place) => void must(['mkfifo', '-m', '600', place]) },
  { what: 'a socket', why: /is a socket$/, put: listen },
  {
    what: 'a character device',
    root: true,
    why: /is no regular file$/,
    put: (place) => void must(['mknod', '-m', '600', place, 'c', '1', '5']),
  },
  { what: 'a folder', why: /is no regular file$/, put: (place) => fs.mkdirSync(place, { mode: 0o700 }) },
  {
    what: 'a good file of somebody else',
    root: true,
    why: /belongs to somebody else$/,
    put: (place, good) => {
      write(place, good);
      fs.chownSync(place, 12_345, 0);
    },
  },
  {
    what: '1 GB',
    why: /is over \d+ bytes$/,
    put: (place) => {
      write(place, '');
      fs.truncateSync(place, 2 ** 30);
    },
  },
];

async function listen(place: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(place, resolve));
  atEnd(() => void server.close());
}

/** Every single mode bit that lets others in. */
export const SHARED_BITS: readonly number[] = [0o040, 0o020, 0o010, 0o004, 0o002, 0o001];
