/** The sources and the libraries as one file of JavaScript, to be run or to become a start-up snapshot, and the list of the packages that are in it. */
import * as fs from 'node:fs';
import { isBuiltin } from 'node:module';
import * as path from 'node:path';
import { build, transform, type BuildOptions, type Metafile, type Plugin } from 'esbuild';

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

/** What both bundles are made of. */
const SOURCES = {
  absWorkingDir: ROOT,
  entryPoints: ['src/main.ts'],
  bundle: true,
  platform: 'node',
  target: 'node24',
  logLevel: 'warning',
  metafile: true,
  // Where the libraries really lie on this machine must not show in the program.
  preserveSymlinks: true,
  legalComments: 'none',
} as const satisfies BuildOptions;

/**
 * Writes the program to `file` and gives the packages in it, by name. It is CommonJS: there a module of Node's is loaded when it is
 * first needed, and with ES modules all of them are loaded at the start.
 */
export async function bundle(file: string): Promise<readonly Package[]> {
  const { metafile } = await build({ ...SOURCES, outfile: file, format: 'cjs', plugins: [later(COSTLY), NOTHING_ASKED] });
  return packagesIn(metafile);
}

/** What every login runs. */
const DOORS = ['src/main.ts', 'src/commands/doors/doors.ts', 'src/doors/gate.ts', 'src/doors/pam.ts', 'src/doors/serve.ts'];

/**
 * Writes the program that becomes a start-up snapshot to the folder `to`, as notp.cjs and parts.json, and gives the packages in it, by
 * name. Each start reads all that is in the snapshot. So the program comes in the parts that esbuild makes of it, by its import(): those of
 * the doors are loaded in the snapshot, and the others are text, which is compiled when a command needs it.
 */
export async function bundleForSnapshot(to: string): Promise<readonly Package[]> {
  const plugins = [later(UNFIT), NOTHING_ASKED, BY_NAME];
  const names = { outdir: to, entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]' };
  const { metafile, outputFiles } = await build({
    ...SOURCES,
    ...names,
    format: 'esm',
    splitting: true,
    minify: true,
    write: false,
    plugins,
  });
  const parts = await Promise.all(
    outputFiles.map(async ({ path: place, text }) => {
      // In a snapshot there is no import() at run time: it becomes require().
      const { code } = await transform(text, { format: 'cjs', platform: 'node', minify: true, supported: { 'dynamic-import': false } });
      return [`./${path.basename(place)}`, code] as const;
    }),
  );
  const loaded = closure(metafile, DOORS).map((name) => `./${name}`);
  fs.writeFileSync(path.join(to, 'parts.json'), JSON.stringify({ parts: Object.fromEntries(parts), loaded }));
  const program = fs.readFileSync(path.join(ROOT, 'packaging/snapshot.ts'), 'utf8');
  fs.writeFileSync(path.join(to, 'notp.cjs'), (await transform(program, { loader: 'ts' })).code);
  return packagesIn(metafile);
}

/** The names of the parts that `sources` come to lie in, and of all that these import at once; the first source's last. */
function closure({ outputs }: Metafile, sources: readonly string[]): string[] {
  const found = new Set<string>();
  const add = (output: string): void => {
    for (const { path: other, kind, external } of outputs[output]?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) add(other);
    }
    found.add(path.basename(output));
  };
  for (const source of sources.toReversed()) {
    const [output] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source) ?? [];
    if (output === undefined) throw new Error(`no part of the program begins with ${source}: it is not imported by import()`);
    add(output);
  }
  return [...found];
}

/** Modules of Node's that cost time to load. Those that are always loaded are not among them. */
const COSTLY = ['assert', 'child_process', 'crypto', 'net', 'readline', 'sqlite', 'tls', 'tty', 'zlib'];

/** Modules that no snapshot can hold, and two (zlib, lean-qr) whose small tables would have bytes of the builder's memory behind them. */
const UNFIT = ['sqlite', 'tls', 'zlib', 'lean-qr'];

/** Modules of Node's that have exports which no snapshot can hold, or which belong to the process that makes it. */
const NEVER_ASKED = ['node:net', 'node:process'];

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

/**
 * Has each module of Node's imported once, and each of its exports by its name. Else every file of ours that imports one has a copy of
 * all of its exports, a function for each.
 */
const BY_NAME: Plugin = {
  name: 'by name',
  setup: (builder) => {
    builder.onResolve({ filter: /./ }, ({ path: name, kind, namespace }) => {
      const apart = kind !== 'import-statement' || namespace !== 'file' || !isBuiltin(name) || NEVER_ASKED.includes(name);
      return apart ? undefined : { path: name, namespace: 'by name' };
    });
    builder.onLoad({ filter: /./, namespace: 'by name' }, async ({ path: name }) => {
      const exported = Object.keys((await import(name)) as object).filter((each) => /^\w+$/.test(each) && each !== 'default');
      // "Pure": what nobody imports is left out.
      const named = exported.map((each) => `export const ${each} = /* @__PURE__ */ (() => found.${each})();`);
      return { contents: `import found from '${name}';\nexport default found;\n${named.join('\n')}\n`, resolveDir: ROOT };
    });
  },
};

/** The packages of npm that something of is in the program, by name. */
function packagesIn({ inputs }: Metafile): readonly Package[] {
  const folders = new Set(Object.keys(inputs).flatMap(packageFolder));
  return [...folders].map(readPackage).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

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
