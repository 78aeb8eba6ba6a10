/** The package as `npm run package` makes it, built once for the same sources: what tests and containers install. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT } from './process.ts';

/** What the package is made of; what is not there is nothing. */
const SOURCES =
  'src packaging systemd examples man completions README.md SECURITY.md docs CHANGELOG.md package.json package-lock.json'.split(' ');
let found: string | undefined;

/** Builds what is not built yet, and gives the folder with notp, its bill of materials and notp_VERSION_ARCH.deb. */
export function builtPackage(): string {
  found ??= folderOfPackage();
  return found;
}

function folderOfPackage(): string {
  const folder = path.join(ROOT, 'dist', `package-${digestOf(SOURCES).slice(0, 16)}`);
  if (fs.existsSync(folder)) return folder;
  fs.mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
  const work = fs.mkdtempSync(path.join(ROOT, 'dist/.package-'));
  build('package', '--formats', 'deb', '--compression', 'none', '--to', work);
  const others = fs.readdirSync(path.dirname(folder)).filter((name) => name.startsWith('package-') && name !== path.basename(folder));
  for (const old of others) fs.rmSync(path.join(path.dirname(folder), old), { recursive: true, force: true });
  try {
    fs.renameSync(work, folder);
  } catch (error) {
    // Another test file may have been faster.
    if (!fs.existsSync(folder)) throw error;
    fs.rmSync(work, { recursive: true });
  }
  return folder;
}

/** Runs packaging/main.ts, and gives its stdout. */
export function build(...words: readonly string[]): string {
  const environment = { ...process.env, SOURCE_DATE_EPOCH: '1790000000' };
  return execFileSync(process.execPath, [path.join(ROOT, 'packaging/main.ts'), ...words], {
    encoding: 'utf8',
    env: environment,
    cwd: ROOT,
  });
}

/** One hash over the names and contents of all files in `places`. */
function digestOf(places: readonly string[]): string {
  const hash = createHash('sha256');
  for (const place of places.map((each) => path.join(ROOT, each)).filter((each) => fs.existsSync(each))) {
    const files = fs.statSync(place).isFile() ? [''] : fs.readdirSync(place, { recursive: true, encoding: 'utf8' }).toSorted();
    for (const file of files.map((each) => path.join(place, each)).filter((each) => fs.statSync(each).isFile())) {
      hash.update(`${file}\0`).update(fs.readFileSync(file)).update('\0');
    }
  }
  return hash.digest('hex');
}
