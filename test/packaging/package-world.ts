/** The package, and a booted host without Node.js to install it on. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bootContainer, CONTAINER_NEEDS, type Container } from '../support/container.ts';
import { must, scratchFolder } from '../support/world.ts';

/** What a test file that installs the package passes to lacks(). */
export const PACKAGE_NEEDS = {
  ...CONTAINER_NEEDS,
  programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'dpkg-deb', 'apt-get', 'sudo'],
} as const;

const NEXT_VERSION = '0.99.0';

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

/** Boots a host with Debian's package tools and without Node.js; the packages lie in /srv. `options` are as for bootContainer(). */
export async function bootWithout(
  name: string,
  packages: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<Container> {
  const prepare = (root: string): void => {
    for (const folder of ['lib/dpkg', 'lib/pam']) fs.cpSync(`/var/${folder}`, path.join(root, 'var', folder), { recursive: true });
    for (const folder of ['lib/apt/lists/partial', 'cache/apt/archives/partial', 'log/apt']) {
      fs.mkdirSync(path.join(root, 'var', folder), { recursive: true });
    }
    for (const node of nodesIn(root)) fs.rmSync(path.join(root, node));
    for (const [to, from] of Object.entries(packages)) fs.copyFileSync(from, path.join(root, 'srv', to));
  };
  const container = await bootContainer(name, prepare, options);
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

/** What decides about logins, byte for byte; a symlink by its target. */
export function loginFiles({ root }: Container): Readonly<Record<string, string>> {
  const folders = ['etc/ssh', 'etc/pam.d', 'etc/sudoers.d'].map((folder) => path.join(root, folder));
  const files = folders.flatMap((folder) =>
    fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)),
  );
  return Object.fromEntries(
    files.flatMap((file) => {
      const stats = fs.lstatSync(file);
      if (stats.isSymbolicLink()) return [[file, `-> ${fs.readlinkSync(file)}`]];
      return stats.isFile() ? [[file, fs.readFileSync(file, 'latin1')]] : [];
    }),
  );
}
