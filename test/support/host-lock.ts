/**
 * What this host is like is shared by the test files that need it the same: with the system user notp, without it, or for one alone,
 * where what others have in /etc would be seen.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';

export type Need = 'with the service user' | 'without the service user' | 'alone';

interface Host {
  need: Need;
  /** The pids of the test files that have it. */
  inside: number[];
  /** Those that wait, in the order in which they came. */
  waiting: { readonly pid: number; readonly need: Need }[];
  /** Undoes what those inside have made, when the last of them has left: words of a command. */
  undo: readonly string[] | null;
}

const FILE = path.join(os.tmpdir(), `notp-tests-${String(process.getuid?.() ?? 0)}`);
const LOCK = `${FILE}.lock`;
const RETRY_MS = 50;
const RUNNER = process.ppid;
const NOBODY: Host = { need: 'alone', inside: [], waiting: [], undo: null };
let mine: Need | undefined;

/** Waits until this host is as this test file needs it, and keeps it so until the file has ended and cleaned up, or needs something else. */
export function haveHost(need: Need): void {
  if (mine === need || mine === 'alone') return;
  // What is to be undone later is undone before it: last thing first.
  if (mine === undefined) atEnd(leave);
  else leave();
  while (!changed((host) => entered(host, need))) pause();
  mine = need;
}

/** Makes something that all who have this host share. `make` runs while nobody comes or goes, and says whether there is something to undo: with a command, whose words are `undo`. */
export function makeForAll(make: () => boolean, undo: readonly string[]): void {
  changed((host) => {
    if (host.undo === null && make()) host.undo = undo;
  });
}

function leave(): void {
  changed((host) => {
    host.inside = host.inside.filter((pid) => pid !== process.pid);
    undone(host);
  });
  mine = undefined;
}

function entered(host: Host, need: Need): boolean {
  const [first] = host.waiting;
  const others = host.waiting.some((each) => each.need !== need);
  const isFree = host.inside.length === 0 && (first === undefined || first.pid === process.pid || first.need === need);
  const isShared = host.inside.length > 0 && host.need === need && need !== 'alone' && !others;
  const rest = host.waiting.filter(({ pid }) => pid !== process.pid);
  if (isFree || isShared) {
    Object.assign(host, { need, inside: [...host.inside, process.pid], waiting: rest });
    return true;
  }
  if (rest.length === host.waiting.length) host.waiting.push({ pid: process.pid, need });
  return false;
}

function undone(host: Host): void {
  const [program, ...words] = host.undo ?? [];
  if (host.inside.length > 0 || program === undefined) return;
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`);
  host.undo = null;
}

/** Nobody else changes it meanwhile. Who was killed is inside no more. */
function changed<T>(change: (host: Host) => T): T {
  while (!taken()) pause();
  try {
    const host = read();
    host.inside = host.inside.filter(isAlive);
    host.waiting = host.waiting.filter(({ pid }) => isAlive(pid));
    undone(host);
    const result = change(host);
    if (host.inside.length + host.waiting.length > 0) fs.writeFileSync(FILE, JSON.stringify(host));
    else fs.rmSync(FILE, { force: true });
    return result;
  } finally {
    fs.rmSync(LOCK, { force: true });
  }
}

function isAlive(pid: number): boolean {
  return fs.existsSync(`/proc/${String(pid)}`);
}

function read(): Host {
  try {
    return JSON.parse(fs.readFileSync(FILE, 'utf8')) as Host;
  } catch {
    // Nobody came yet, or somebody was killed while writing.
    return { ...NOBODY, inside: [], waiting: [] };
  }
}

/** link(2) fails where the name is taken, and the name is never there without its content. */
function taken(): boolean {
  const own = `${LOCK}.${String(process.pid)}`;
  fs.writeFileSync(own, String(process.pid));
  try {
    fs.linkSync(own, LOCK);
    return true;
  } catch {
    removeLeftBehind();
    return false;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

/** The lock of a process that was killed. */
function removeLeftBehind(): void {
  try {
    const pid = fs.readFileSync(LOCK, 'utf8');
    if (!isAlive(Number(pid))) fs.rmSync(LOCK, { force: true });
  } catch {
    // It has just been given back.
  }
}

/** Hears no signal meanwhile; but where whoever runs the tests is gone, nobody waits for this one. */
function pause(): void {
  if (process.ppid !== RUNNER) process.exit(1);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
}
