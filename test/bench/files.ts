/** The files and the users of a container, written from outside. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Container } from '../support/container.ts';
import type { TestUser } from '../support/world.ts';

export interface Files {
  /** A file of the container as a path outside. */
  readonly outside: (file: string) => string;
  readonly read: (file: string) => string;
  readonly write: (file: string, text: string, mode?: number) => void;
}

export function filesOf({ root }: Container): Files {
  const outside = (file: string): string => path.join(root, file);
  return {
    outside,
    read: (file) => fs.readFileSync(outside(file), 'utf8'),
    write: (file, text, mode = 0o644) => {
      fs.mkdirSync(path.dirname(outside(file)), { recursive: true });
      fs.writeFileSync(outside(file), text, { mode });
    },
  };
}

const FIRST_UID = 40_000;

/** Adds users with homes: useradd(8) takes longer the more users there are. */
export function addPeople(container: Container, count: number): TestUser[] {
  const { outside } = filesOf(container);
  const people = Array.from({ length: count }, (_, i) => {
    return { name: `user${String(i)}`, uid: FIRST_UID + i, gid: 100, home: `/home/user${String(i)}` };
  });
  const entries = people.map(({ name, uid, gid, home }) => `${name}:x:${String(uid)}:${String(gid)}::${home}:/bin/sh\n`);
  fs.appendFileSync(outside('/etc/passwd'), entries.join(''));
  for (const { home, uid, gid } of people) {
    fs.mkdirSync(outside(home), { mode: 0o700 });
    fs.chownSync(outside(home), uid, gid);
  }
  return people;
}
