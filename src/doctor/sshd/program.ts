/**
 * Which program doctor runs to ask a process about itself. Any process may call itself sshd and have any program, in a sandbox too: run is
 * only root's own sshd, as it lies in the folders that doctor sees, and only for a process as free as doctor is. See proc(5), namespaces(7).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { isRoot } from '../../system/users.ts';
import { whyUntrusted } from '../host/trust.ts';

export interface Program {
  readonly program: string;
  /** Why the process is not believed to be that program. */
  readonly doubt?: string;
  /** The process runs a file that is gone: `program` is the one that was put in its place. */
  readonly isReplaced?: boolean;
}

/** As the kernel names a file that is gone. What was never a file (memfd_create(2)) is named so too. */
const GONE = ' (deleted)';
/** Names and files mean something else in another of these, and capabilities less. */
const NAMESPACES = ['mnt', 'user'];

/** The program of the process `pid`, whose first word is `first`. */
export function programOf(pid: string, first: string): Program {
  const shown = linkOf(`/proc/${pid}/exe`);
  // Others than root are not shown it, and run root's own program with no more rights than they have.
  if (shown === undefined && !isRoot()) return { program: first, ...doubtful(otherThanSshd(first)) };
  if (shown === undefined) return { program: first, doubt: 'its program is not shown' };
  const isReplaced = shown.endsWith(GONE);
  const program = isReplaced ? shown.slice(0, -GONE.length) : shown;
  const isOther = !isReplaced && !isSame(program, `/proc/${pid}/exe`);
  const doubt = confinementOf(pid) ?? otherThanSshd(program) ?? (isOther ? `${program} is not the file that it runs` : undefined);
  return { program, isReplaced, ...doubtful(doubt) };
}

/** Why `program` is not run as root: it is not there, or others than root can change it, or a folder on its way. Undefined where it may be. */
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

/** A shell that calls itself sshd would run whatever it has for its configuration. */
function otherThanSshd(program: string): string | undefined {
  const isIt = path.isAbsolute(program) && path.normalize(program) === program && path.basename(realOf(program)) === 'sshd';
  return isIt ? whyNotRun(program) : `its program is ${program}, which is no sshd`;
}

/** How the process `pid` is less free than doctor, or sees other files. Less free than all of this host (a container) are, none needs to be. */
function confinementOf(pid: string): string | undefined {
  const elsewhere = NAMESPACES.find((name) => linkOf(`/proc/${pid}/ns/${name}`) !== linkOf(`/proc/self/ns/${name}`));
  if (elsewhere !== undefined) return `it runs in another namespace (${elsewhere}) than notp doctor, with files or rights of its own`;
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

/** Of a process that is gone, none. */
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
    // What we cannot see we cannot vouch for.
    return false;
  }
}

/** Where `program` leads; itself where it is not there. */
function realOf(program: string): string {
  try {
    return fs.realpathSync(program);
  } catch {
    return program;
  }
}

/** Undefined where it cannot be read. */
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
