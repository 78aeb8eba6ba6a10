/**
 * The program of the executable while it becomes a start-up snapshot. It loads those of the parts that bundle.ts wrote which every login
 * runs; main.ts, the last of them, says what is done at a start.
 */
const { readFileSync } = process.getBuiltinModule('node:fs');
const { setFlagsFromString } = process.getBuiltinModule('node:v8');
const { compileFunction } = process.getBuiltinModule('node:vm');

interface Module {
  exports: unknown;
}
type Part = (require: (name: string) => unknown, module: Module) => void;

/** The texts of all parts by their names, and the names of those to load. The same folder in each build: it is part of the snapshot. */
const { parts, loaded } = JSON.parse(readFileSync('/proc/self/cwd/parts.json', 'utf8')) as {
  readonly parts: Readonly<Record<string, string>>;
  readonly loaded: readonly string[];
};
const modules: Record<string, Module> = {};

/** Loads a part, once, or a module of Node's. */
function load(name: string): unknown {
  const text = parts[name];
  if (text === undefined) return require(name);
  const known = modules[name];
  if (known !== undefined) return known.exports;
  const module: Module = { exports: {} };
  modules[name] = module;
  (compileFunction(text, ['require', 'module'], { filename: name }) as Part)(load, module);
  return module.exports;
}

// All functions of the parts are compiled, and not only those that are called while they are loaded. Node's own stay as they are.
setFlagsFromString('--no-lazy');

// A small typed array lies in the heap itself, and up to its next whole word there is what was in that memory before: other bytes in each
// build. So the constants of the libraries, which are made by from() while they are loaded, have a buffer of their own.
type Apart = new (buffer: ArrayBuffer) => Uint8Array;
const arrays = Object.getPrototypeOf(Uint8Array) as { from: (this: Apart, ...words: unknown[]) => Uint8Array };
const { from } = arrays;
arrays.from = function (...words) {
  const made = from.apply(this, words);
  const apart = new this(new ArrayBuffer(made.byteLength));
  apart.set(made);
  return apart;
};
for (const name of loaded) load(name);
arrays.from = from;
