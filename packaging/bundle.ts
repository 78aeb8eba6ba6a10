/** The sources and the libraries as one file of JavaScript, and the list of the packages that are in it. */
import * as fs from 'node:fs';
import { isBuiltin } from 'node:module';
import * as path from 'node:path';
import { build, type Plugin } from 'esbuild';

export const ROOT = path.resolve(import.meta.dirname, '..');

/** A package of npm of which something is in the program. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** As SPDX names it. */
  readonly licence: string;
  /** The text of the licence, as the package brings it; empty where it brings none. */
  readonly text: string;
}

/** What a bundle is for: to be run as it is, or to become a start-up snapshot, where its modules are loaded already. */
export type Purpose = 'script' | 'snapshot';

/**
 * Writes the program to `file` and gives the packages in it, by name. It is CommonJS: there a module of Node's is loaded when it is
 * first needed, and with ES modules all of them are loaded at the start.
 */
export async function bundle(file: string, purpose: Purpose): Promise<readonly Package[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/main.ts'],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    logLevel: 'warning',
    metafile: true,
    // Where the libraries really lie on this machine must not show in the program.
    preserveSymlinks: true,
    legalComments: 'none',
    // In a snapshot there is no import() at run time: it becomes require().
    supported: { 'dynamic-import': false },
    minify: purpose === 'snapshot',
    plugins: [later(purpose === 'snapshot' ? UNFIT : COSTLY), NOTHING_ASKED],
  });
  const folders = new Set(Object.keys(metafile.inputs).flatMap(packageFolder));
  return [...folders].map(readPackage).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Modules of Node's that cost time to load. Those that are always loaded are not among them. */
const COSTLY = ['assert', 'child_process', 'crypto', 'net', 'readline', 'sqlite', 'tls', 'tty', 'zlib'];

/** Modules of Node's that no snapshot can hold, and a library whose small tables would have bytes of the builder's memory behind them. */
const UNFIT = ['sqlite', 'tls', 'lean-qr'];

/** What pino has for writing in other threads, which it is never asked for, and what there is instead. */
const NO_THREADS: Readonly<Record<string, string>> = { 'thread-stream': '', worker_threads: 'exports.isMainThread = true;' };

/**
 * Has these modules loaded when something of them is first used, and not when a file that may use it is. Without a JIT compiler
 * Node.js compiles its modules each time: child_process, crypto and net alone cost as much as all of a decision.
 */
const later = (modules: readonly string[]): Plugin => ({
  name: 'later',
  setup: (builder) => {
    builder.onResolve(
      { filter: new RegExp(`^((node:)?(${modules.join('|')})|${Object.keys(NO_THREADS).join('|')})$`) },
      ({ path: name, namespace }) => {
        if (namespace !== 'later') return { path: name, namespace: 'later' };
        return isBuiltin(name) ? { path: name, external: true } : undefined;
      },
    );
    builder.onLoad({ filter: /./, namespace: 'later' }, async ({ path: name }) => {
      const instead = NO_THREADS[name];
      if (instead !== undefined) return { contents: instead };
      const exported = Object.keys((await import(name)) as object).filter((each) => /^\w+$/.test(each) && each !== 'default');
      const getters = exported.map((each) => `${each}: { enumerable: true, get: () => load().${each} }`);
      // The module may be a function (assert).
      const contents = `let found;
const load = () => (found ??= require('${name}'));
module.exports = Object.defineProperties((...words) => load()(...words), {\n${getters.join(',\n')}\n});\n`;
      return { contents, resolveDir: ROOT };
    });
  },
});

/**
 * What pino asks when it is loaded, for records that say it by default, and what there is instead. Our records say it themselves, and a
 * snapshot must hold nothing of the machine and the moment that made it.
 */
const ASKED: Readonly<Record<string, readonly (readonly [text: string, instead: string])[]>> = {
  'pino/pino.js': [
    ['const { pid } = process\n', 'const pid = 0\n'],
    ['os.hostname()', "''"],
  ],
  'pino/lib/time.js': [
    ['BigInt(Date.now())', '0n'],
    ['startHrTime = process.hrtime.bigint()', 'startHrTime = 0n'],
  ],
};

const NOTHING_ASKED: Plugin = {
  name: 'nothing asked',
  setup: (builder) => {
    for (const [name, texts] of Object.entries(ASKED)) {
      builder.onLoad({ filter: new RegExp(`/node_modules/${name}$`) }, ({ path: file }) => {
        const source = fs.readFileSync(file, 'utf8');
        const contents = texts.reduce((before, [text, instead]) => {
          if (!before.includes(text)) throw new Error(`${file} no longer has the text "${text}", so it asks in some other way`);
          return before.replace(text, instead);
        }, source);
        return { contents };
      });
    }
  },
};

/** The folder of the package that `input` belongs to; none for a file of ours. */
function packageFolder(input: string): string[] {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
  return folder === undefined ? [] : [path.resolve(ROOT, folder)];
}

/** What package-lock.json says of the package `name`: its version, and the hash of what the registry has (Subresource Integrity). Throws where it says nothing. */
export function locked(name: string): { readonly version: string; readonly integrity: string } {
  const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
  };
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json has no ${name}`);
  return { version, integrity };
}

/** What `folder`, where a package is installed, says about it. */
export function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as Readonly<
    Record<'name' | 'version' | 'license', string>
  >;
  const file = fs.readdirSync(folder).find((each) => /^licen[cs]e(\.(md|txt))?$/i.test(each));
  const text = file === undefined ? '' : fs.readFileSync(path.join(folder, file), 'utf8');
  return { name, version, licence: license, text };
}
