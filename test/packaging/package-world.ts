/** The package as `npm run package` makes it (built once for the same sources), and a booted host without Node.js to install it on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bootContainer, CONTAINER_NEEDS, type Container } from '../support/container.ts';
import { ROOT } from '../support/process.ts';
import { must, scratchFolder } from '../support/world.ts';

/** What a test file that installs the package passes to lacks(). */
export const PACKAGE_NEEDS = {
  ...CONTAINER_NEEDS,
  programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'dpkg-deb', 'apt-get', 'sudo'],
} as const;

/** What the package is made of; what is not there is nothing. */
const SOURCES = 'src packaging systemd examples man completions README.md SECURITY.md CHANGELOG.md package.json package-lock.json'.split(
  ' ',
);
const NEXT_VERSION = '0.99.0';

/** Builds what is not built yet, and gives the folder with notp, its bill of materials and notp_VERSION_ARCH.deb. */
export function builtPackage(): string {
  const folder = path.join(ROOT, 'dist', `package-${digestOf(SOURCES).slice(0, 16)}`);
  if (fs.existsSync(folder)) return folder;
  fs.mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
  const work = fs.mkdtempSync(path.join(ROOT, 'dist/.package-'));
  build('package', '--formats', 'deb', '--compression', 'none', '--to', work);
  for (const old of fs.readdirSync(path.dirname(folder)).filter((name) => name.startsWith('package-'))) {
    fs.rmSync(path.join(path.dirname(folder), old), { recursive: true, force: true });
  }
  // Another test file may have been faster.
  if (fs.existsSync(folder)) fs.rmSync(work, { recursive: true });
  else fs.renameSync(work, folder);
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

export function debIn(folder: string): string {
  const [name = ''] = fs.readdirSync(folder).filter((each) => each.endsWith('.deb'));
  return path.join(folder, name);
}

/** The same package under a later number. */
export function nextVersion(deb: string): string {
  const work = scratchFolder('next');
  must(['dpkg-deb', '--raw-extract', deb, path.join(work, 'tree')]);
  const control = path.join(work, 'tree/DEBIAN/control');
  fs.writeFileSync(control, fs.readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${NEXT_VERSION}`));
  must(['dpkg-deb', '--root-owner-group', '-Znone', '--build', path.join(work, 'tree'), path.join(work, 'next.deb')]);
  return path.join(work, 'next.deb');
}

/** Boots a host with Debian's package tools and without Node.js; the packages lie in /srv. */
export async function bootWithout(name: string, packages: Readonly<Record<string, string>>): Promise<Container> {
  const container = await bootContainer(name, (root) => {
    for (const folder of ['lib/dpkg', 'lib/pam']) fs.cpSync(`/var/${folder}`, path.join(root, 'var', folder), { recursive: true });
    for (const folder of ['lib/apt/lists/partial', 'cache/apt/archives/partial', 'log/apt']) {
      fs.mkdirSync(path.join(root, 'var', folder), { recursive: true });
    }
    for (const node of nodesIn(root)) fs.rmSync(path.join(root, node));
    for (const [to, from] of Object.entries(packages)) fs.copyFileSync(from, path.join(root, 'srv', to));
  });
  assert.notEqual((await container.run(['sh', '-c', 'command -v node nodejs npm'])).code, 0);
  return container;
}

/** Where a machine may have Node.js. */
function nodesIn(root: string): string[] {
  const folders = ['usr/bin', 'usr/local/bin', 'usr/sbin', 'usr/local/sbin'].filter((folder) => fs.existsSync(path.join(root, folder)));
  return folders
    .flatMap((folder) => ['node', 'nodejs', 'npm', 'npx'].map((name) => path.join(folder, name)))
    .filter((file) => {
      return fs.lstatSync(path.join(root, file), { throwIfNoEntry: false }) !== undefined;
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
