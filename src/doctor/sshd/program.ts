/**
 * Chooses the program that doctor runs to ask a process about itself. Any process may call itself sshd and run any program, even in a
 * sandbox. So doctor runs only an sshd that root alone can change, at a path that doctor itself sees, and only for a process that is no more
 * confined than doctor. See proc(5), namespaces(7).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { isRoot } from '../../system/users.ts';
import { whyUntrusted } from '../host/trust.ts';

export interface Program {
  readonly program: string;
  /** Why doctor does not trust that the process is this program. */
  readonly doubt?: string;
  /** Whether the process runs a deleted file; `program` is then its replacement. */
  readonly isReplaced?: boolean;
}

/** The kernel's mark for a deleted file. It also marks programs that never were files, see memfd_create(2). */
const GONE = ' (deleted)';
/** In another of these namespaces, names and files mean something else, and capabilities less. */
const NAMESPACES = ['mnt', 'user'];

/** The program of the process `pid`, whose command line begins with the word `first`. */
export function programOf(pid: string, first: string): Program {
  const shown = linkOf(`/proc/${pid}/exe`);
  // Only root can read the link. Other users run root's own program with no more rights than their own.
  if (shown === undefined && !isRoot()) return { program: first, ...doubtful(whyNotSshd(first)) };
  if (shown === undefined) return { program: first, doubt: 'its program cannot be read' };
  const isReplaced = shown.endsWith(GONE);
  const program = isReplaced ? shown.slice(0, -GONE.length) : shown;
  const isOther = !isReplaced && !isSame(program, `/proc/${pid}/exe`);
  const doubt = confinementOf(pid) ?? whyNotSshd(program) ?? (isOther ? `${program} is not the file that it runs` : undefined);
  return { program, isReplaced, ...doubtful(doubt) };
}

/** Why `program` must not be run as root: it is missing, or others than root can change it or its folders. Undefined if it may be run. */
export function whyNotRun(program: string): string | undefined {
  try {
    return whyUntrusted(program);
  } catch (error) {
    return messageOf(error);
  }
}

function doubtful(doubt: string | undefined): Pick<Program, 'doubt'> {
  return doubt === undefined ? {} : { doubt };
}

/** Refuses any other program: a shell that is called sshd would run its "configuration" as a script. */
function whyNotSshd(program: string): string | undefined {
  const isIt = path.isAbsolute(program) && path.normalize(program) === program && path.basename(realPathOf(program)) === 'sshd';
  return isIt ? whyNotRun(program) : `its program is ${program}, which is not an sshd`;
}

/** How the process `pid` is more confined than doctor, or sees other files. Limits that bind the whole host (a container) do not count. */
function confinementOf(pid: string): string | undefined {
  const elsewhere = NAMESPACES.find((name) => linkOf(`/proc/${pid}/ns/${name}`) !== linkOf(`/proc/self/ns/${name}`));
  if (elsewhere !== undefined) return `it runs in another namespace (${elsewhere}) than notp doctor, with its own files or rights`;
  if (!isSame(`/proc/${pid}/root`, '/')) return 'it runs with another root folder than notp doctor';
  const [its, own, init] = [rightsOf(pid), rightsOf('self'), rightsOf('1')];
  const lacking = own.effective & init.bounding & ~its.effective;
  if (lacking !== 0n) return `it lacks capabilities that notp doctor has (${lacking.toString(16)})`;
  return its.noNewPrivileges && !own.noNewPrivileges && !init.noNewPrivileges ? 'it may gain no privileges (NoNewPrivs)' : undefined;
}

interface Rights {
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly noNewPrivileges: boolean;
}

/** A process that has ended has no rights. */
function rightsOf(pid: string): Rights {
  const status = textOf(`/proc/${pid}/status`);
  const set = (name: string): bigint => BigInt(`0x${new RegExp(String.raw`^${name}:\s*([\da-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return { effective: set('CapEff'), bounding: set('CapBnd'), noNewPrivileges: !/^NoNewPrivs:\s*0$/m.test(status) };
}

function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [fs.statSync(one, { bigint: true }), fs.statSync(other, { bigint: true })];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    // A file that cannot be checked counts as different.
    return false;
  }
}

/** The target of `program`; `program` itself if it does not exist. */
function realPathOf(program: string): string {
  try {
    return fs.realpathSync(program);
  } catch {
    return program;
  }
}

/** The target of a link; undefined if it cannot be read. */
export function linkOf(file: string): string | undefined {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined;
  }
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/**
 * sshd answers nothing before its empty folder in /run is there, which systemd makes at its first start or connection. Makes it as systemd
 * would, if `stderr` of an sshd says that it is missing, and says whether it did. The caller is root.
 */
export function madeEmptyFolder(stderr: string): boolean {
  const folder = /Missing privilege separation directory: ((?:\/var)?\/run\/[\w.-]+)\s*$/m.exec(stderr)?.[1];
  if (folder === undefined || !isRoot() || fs.existsSync(folder)) return false;
  // No error where systemd was first.
  fs.mkdirSync(folder, { mode: 0o755, recursive: true });
  return true;
}
