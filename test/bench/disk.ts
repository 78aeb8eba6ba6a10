/** How large the executable is, and what of it is read from a cold disk. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { must } from '../support/world.ts';
import type { Door } from './doors.ts';
import { DISK, ON_DISK, type Host } from './host.ts';
import { inTurn, medianOf, short, type Case, type Chapter, type Ran } from './measure.ts';

interface Read {
  /** Milliseconds. */
  readonly cold: number;
  readonly warm: number;
  readonly megabytes: number;
}

export async function disk(boot: () => Promise<Host>, rounds: number): Promise<Chapter> {
  const host = await boot();
  const { uid } = host.alice;
  const unused = async (): Promise<unknown> =>
    await host.container.must(['systemctl', 'stop', 'notp@judge.service', `notp@${String(uid)}.service`]);
  const login = async (door: Door): Promise<number> => {
    const { prompt, answer } = await host.client<{ prompt: number; answer: number }>([
      ...['login', '2', host.code('notp')],
      ...host.loginAt(door),
    ]);
    return prompt + answer;
  };
  const ran = async (...command: string[]): Promise<number> => (await host.client<Ran>(['run', ...command])).wall;
  const reading = (name: string, file: string, once: () => Promise<number>): Case<Read> => ({
    name,
    prepare: unused,
    once: async () => {
      forget(path.join(DISK, file));
      const cold = await once();
      const megabytes = inMemory(path.join(DISK, file)) / 1e6;
      await unused();
      return { cold, megabytes, warm: await once() };
    },
  });
  const read = await inTurn(
    [
      reading('node --jitless -e 0', 'node', async () => await ran(`${ON_DISK}/node`, '--jitless', '-e', '0')),
      reading('notp --version', 'notp', async () => await ran('/usr/bin/notp', '--version')),
      reading('login with notp pam, judge cold', 'notp', async () => await login('notp')),
      reading('login with notp gate, service cold', 'notp', async () => await login('gate')),
    ],
    Math.min(rounds, 5),
  );
  const sizes = { node: sizeOf('node'), notp: sizeOf('notp') };
  return {
    title: 'The executable on a cold disk',
    text: `The executable has ${short(sizes.notp)} MB (Node.js ${short(sizes.node)} MB). MB read are those of it that the kernel has in memory afterwards, where it had none before (fincore(1)); it reads ahead. The libraries and all other files were in memory. Milliseconds are those of the process, or of the whole login, answered after 2 s.`,
    columns: ['what', 'MB read', 'ms cold', 'ms warm'],
    rows: [...read.keys()].map((name) => [
      name,
      short(medianOf(read, name, ({ megabytes }) => megabytes)),
      short(medianOf(read, name, ({ cold }) => cold)),
      short(medianOf(read, name, ({ warm }) => warm)),
    ]),
    targets: [{ what: 'executable', most: 125, measured: sizes.notp, unit: ' MB', why: 'most of it is Node.js' }],
  };
}

function sizeOf(file: string): number {
  return fs.statSync(path.join(DISK, file)).size / 1e6;
}

/** Has the kernel forget what it has of `file` in memory. */
function forget(file: string): void {
  must(['dd', `if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** Bytes of `file` that are in memory. */
function inMemory(file: string): number {
  return Number(must(['fincore', '--bytes', '--noheadings', '--output', 'RES', file]));
}
