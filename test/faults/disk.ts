/**
 * What a disk may hold after the power has failed: from the calls of a program on files, recorded by strace(1), the content of the
 * files at any moment, with whatever was not yet flushed there or not. Names follow the order of their changes (as journalling file systems
 * keep it) and are sure when the folder, or the file itself where it is new, was flushed; of a file's own writes any may be missing until its fsync(2).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

export type Change =
  | { readonly kind: 'write'; readonly file: string; readonly at: number | 'end'; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly file: string; readonly length: number }
  | { readonly kind: 'create'; readonly file: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly file: string }
  | { readonly kind: 'flush'; readonly file: string };

/** Of strace(1): all it must show, with paths at descriptors and every byte. */
export const RECORDING = [
  'strace',
  '-y',
  '-xx',
  '-s',
  '1000000',
  '-e',
  'trace=openat,write,pwrite64,ftruncate,rename,unlink,fsync,fdatasync',
];

/** The changes below `folders`, in their order. `exists` tells which files were there before. Throws on a call that it does not know. */
export function changesIn(trace: string, folders: readonly string[], exists: (file: string) => boolean): Change[] {
  const seen = new Set<string>();
  const isThere = (file: string): boolean => seen.has(file) || exists(file);
  return trace.split('\n').flatMap((line): Change[] => {
    const [, name = '', words = '', result = ''] = /^(\w+)\((.*)\)\s+= (\S+)/.exec(line) ?? [];
    if (name === '' || result.startsWith('-') || result === '?') return [];
    const changes = changeOf(name, words, result, isThere).filter((change) => folders.some((folder) => fileOf(change).startsWith(folder)));
    for (const change of changes) if (change.kind === 'create') seen.add(change.file);
    return changes;
  });
}

function changeOf(name: string, words: string, result: string, isThere: (file: string) => boolean): Change[] {
  const file = onDescriptor(words);
  const [first = '', second = ''] = [...words.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => text);
  const numbers = words.split(', ').map(Number);
  switch (name) {
    case 'openat': {
      const opened = bytesOf(first).toString();
      return words.includes('O_CREAT') && !isThere(opened) ? [{ kind: 'create', file: opened }] : [];
    }
    case 'write':
      return [{ kind: 'write', file, at: 'end', bytes: bytesOf(first).subarray(0, Number(result)) }];
    case 'pwrite64':
      return [{ kind: 'write', file, at: numbers.at(-1) ?? NaN, bytes: bytesOf(first).subarray(0, Number(result)) }];
    case 'ftruncate':
      return [{ kind: 'truncate', file, length: numbers.at(-1) ?? NaN }];
    case 'rename':
      return [{ kind: 'rename', from: bytesOf(first).toString(), to: bytesOf(second).toString() }];
    case 'unlink':
      return [{ kind: 'remove', file: bytesOf(first).toString() }];
    case 'fsync':
    case 'fdatasync':
      return [{ kind: 'flush', file }];
    default:
      throw new Error(`nobody said what ${name} does to a disk`);
  }
}

/** The path that `-y` shows at the first descriptor, in hex as all texts. */
function onDescriptor(words: string): string {
  return bytesOf(/^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(words)?.[1] ?? '').toString();
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

function fileOf(change: Change): string {
  return change.kind === 'rename' ? change.to : change.file;
}

/** Whether something that is not sure survives. */
export type Survives = () => boolean;

/** The files as they may be when the power fails after the first `moment` of `changes`; `before`: as they were, by path. */
export function afterPowerFailure(
  before: ReadonlyMap<string, Buffer>,
  changes: readonly Change[],
  moment: number,
  survives: Survives,
): Map<string, Buffer> {
  const done = changes.slice(0, moment);
  const names = sureNames(done);
  // Changes of names come in their order, and from one that is lost on all are.
  let lost = false;
  const files = new Map(before);
  for (const [i, change] of done.entries()) {
    if (change.kind === 'flush') continue;
    if (change.kind === 'write' || change.kind === 'truncate') {
      if (isFlushed(done, i) || survives()) apply(files, change);
      continue;
    }
    lost ||= i >= names && !survives();
    if (!lost) apply(files, change);
  }
  return files;
}

/** How many of the changes cannot lose a name any more: all before the last flush of a folder, or of a file that is new. */
function sureNames(done: readonly Change[]): number {
  const created = new Set(done.flatMap((change) => (change.kind === 'create' ? [change.file] : [])));
  return done.findLastIndex((change) => change.kind === 'flush' && (isFolder(change.file) || created.has(change.file))) + 1;
}

function isFolder(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Whether the file of the i-th change was flushed after it, under whatever name it has since. */
function isFlushed(done: readonly Change[], i: number): boolean {
  let name = fileOf(done[i] as Change);
  for (const change of done.slice(i + 1)) {
    if (change.kind === 'rename' && change.from === name) name = change.to;
    if (change.kind === 'flush' && change.file === name) return true;
  }
  return false;
}

function apply(files: Map<string, Buffer>, change: Change): void {
  switch (change.kind) {
    case 'write': {
      const old = files.get(change.file);
      // Its name is lost, and with it what is in it.
      if (old === undefined) return;
      const at = change.at === 'end' ? old.length : change.at;
      const bytes = Buffer.alloc(Math.max(old.length, at + change.bytes.length));
      old.copy(bytes);
      change.bytes.copy(bytes, at);
      files.set(change.file, bytes);
      return;
    }
    case 'truncate':
      files.set(change.file, (files.get(change.file) ?? Buffer.of()).subarray(0, change.length));
      return;
    case 'create':
      files.set(change.file, Buffer.of());
      return;
    case 'rename':
      files.set(change.to, files.get(change.from) ?? Buffer.of());
      files.delete(change.from);
      return;
    case 'remove':
      files.delete(change.file);
      return;
    case 'flush':
  }
}

/** The files below `folders`, by path. */
export function filesBelow(folders: readonly string[]): Map<string, Buffer> {
  const names = folders.flatMap((folder) => fs.readdirSync(folder).map((name) => path.join(folder, name)));
  return new Map(names.filter((name) => fs.statSync(name).isFile()).map((name) => [name, fs.readFileSync(name)]));
}

/** Makes the files below `folders` these; a new one belongs to whom its folder does, mode 0600. */
export function putFiles(folders: readonly string[], files: ReadonlyMap<string, Buffer>): void {
  const present = filesBelow(folders);
  for (const file of present.keys()) if (!files.has(file)) fs.rmSync(file);
  for (const [file, bytes] of files) {
    if (present.get(file)?.equals(bytes) === true) continue;
    fs.writeFileSync(file, bytes, { mode: 0o600 });
    const { uid, gid } = fs.statSync(path.dirname(file));
    if (!present.has(file)) fs.chownSync(file, uid, gid);
  }
}
