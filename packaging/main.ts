/**
 * What `npm run bundle`, `npm run build` and `npm run package` call.
 * usage: node packaging/main.ts bundle|executable|package [--target linux-x64] [--version 0.1.0] [--to dist] [--compression best|none] [--formats tar,rpm,deb]
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { billOfMaterials } from './bill.ts';
import { bundle, ROOT } from './bundle.ts';
import { buildExecutable, sha256Of, TARGETS, type Executable, type Target } from './executable.ts';
import { buildArchive, buildDeb, buildRpm, type Product } from './formats.ts';
import { stage } from './stage.ts';

const { version: current } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: `linux-${process.arch}` },
    version: { type: 'string', default: current },
    to: { type: 'string', default: path.join(ROOT, 'dist') },
    compression: { type: 'string', default: 'best' },
    formats: { type: 'string', default: 'tar,rpm,deb' },
  },
});
const [what = ''] = positionals;
if (!['bundle', 'executable', 'package'].includes(what)) throw new Error('say what to build: bundle, executable or package');
const target = targetNamed(values.target);
const to = path.resolve(values.to);
fs.mkdirSync(to, { recursive: true });
if (what === 'bundle') await bundle(path.join(to, 'notp.cjs'));
else await build();

async function build(): Promise<void> {
  const executable = await buildExecutable(path.join(to, 'notp'), target);
  fs.writeFileSync(path.join(to, 'notp.cdx.json'), billOfMaterials(executable, values.version));
  told(what === 'executable' ? [executable.file] : packages(executable));
}

function packages(built: Executable): string[] {
  const root = fs.mkdtempSync(path.join(to, '.tree-'));
  try {
    const seconds = sourceSeconds();
    const compression = values.compression === 'none' ? 'none' : 'best';
    const product: Product = { root, version: values.version, target, seconds, compression, to };
    stage({ root, version: values.version, executable: built, seconds });
    const wanted = values.formats.split(',');
    // Debian's last: it adds to the tree.
    const makers = [
      { name: 'tar', make: buildArchive },
      { name: 'rpm', make: buildRpm },
      { name: 'deb', make: buildDeb },
    ];
    const made = makers.filter(({ name }) => wanted.includes(name)).map(({ make }) => make(product));
    return [built.file, ...made.filter((file) => file !== undefined)];
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** Prints each file with its SHA-256, as sha256sum(1) does. */
function told(files: readonly string[]): void {
  for (const file of files) process.stdout.write(`${sha256Of(file)}  ${path.relative(process.cwd(), file)}\n`);
}

function targetNamed(name: string): Target {
  if (Object.hasOwn(TARGETS, name)) return name as Target;
  throw new Error(`there is no target ${name}: ${Object.keys(TARGETS).join(', ')}`);
}

/** When the sources were made: what reproducible-builds.org calls SOURCE_DATE_EPOCH, or else the last commit. */
function sourceSeconds(): number {
  const given = process.env['SOURCE_DATE_EPOCH'] ?? spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' }).stdout;
  if (/^\d+\s*$/.test(given)) return Number(given);
  throw new Error('this is no checkout of git: set SOURCE_DATE_EPOCH');
}
