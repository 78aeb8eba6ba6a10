/** The tree that all packages are made of: each file where it belongs on a Linux system, with its mode, and one time for all. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { billOfMaterials, notices } from './bill.ts';
import { ROOT } from './bundle.ts';
import type { Executable } from './executable.ts';

const DOC = 'usr/share/doc/notp';
/** In examples/ but only of use in the sources. */
const NO_EXAMPLE = ['try'];

/** What the files are made of, and when they say that they were made (seconds since 1970). */
export interface Staging {
  readonly root: string;
  readonly version: string;
  readonly executable: Executable;
  readonly seconds: number;
}

/** Files of the folder completions/, where each belongs, and its second name: two of the shells look for one by the name of the program. */
const COMPLETIONS: readonly (readonly [file: string, to: string, second?: string])[] = [
  ['notp.bash', 'usr/share/bash-completion/completions/notp', 'notp-enroll'],
  ['notp.fish', 'usr/share/fish/vendor_completions.d/notp.fish', 'notp-enroll.fish'],
  ['_notp', 'usr/share/zsh/vendor-completions/_notp'],
];

/** Fills the new folder `root`. */
export function stage({ root, version, executable, seconds }: Staging): void {
  const put = (to: string, content: string | Buffer, mode = 0o644): void => {
    fs.mkdirSync(path.join(root, path.dirname(to)), { recursive: true });
    fs.writeFileSync(path.join(root, to), content);
    fs.chmodSync(path.join(root, to), mode);
  };
  const copy = (from: string, to: string): void => {
    put(to, fs.readFileSync(path.join(ROOT, from)));
  };
  const pack = (to: string, content: string | Buffer): void => {
    put(`${to}.gz`, gzipSync(content, { level: 9 }));
  };
  fs.mkdirSync(path.join(root, 'usr/bin'), { recursive: true });
  fs.copyFileSync(executable.file, path.join(root, 'usr/bin/notp'), fs.constants.COPYFILE_FICLONE);
  fs.symlinkSync('notp', path.join(root, 'usr/bin/notp-enroll'));
  for (const name of names('systemd')) copy(`systemd/${name}`, placeOfUnit(name));
  copy('examples/notp.toml', 'etc/notp/notp.toml');
  copy('examples/logrotate.d/notp', 'etc/logrotate.d/notp');
  copy('packaging/pam-configs/notp', 'usr/share/pam-configs/notp');
  for (const name of ['README.md', 'SECURITY.md', ...names('docs').map((page) => `docs/${page}`)]) copy(name, `${DOC}/${name}`);
  for (const name of names('examples').filter((each) => !NO_EXAMPLE.includes(each))) copy(`examples/${name}`, `${DOC}/examples/${name}`);
  for (const name of names('man'))
    pack(`usr/share/man/man${path.extname(name).slice(1)}/${name}`, fs.readFileSync(path.join(ROOT, 'man', name)));
  for (const [name, to, second] of COMPLETIONS) {
    copy(`completions/${name}`, to);
    if (second !== undefined) fs.symlinkSync(path.basename(to), path.join(root, path.dirname(to), second));
  }
  pack(`${DOC}/CHANGELOG.md`, fs.readFileSync(path.join(ROOT, 'CHANGELOG.md')));
  pack(`${DOC}/third-party-notices`, notices(executable));
  pack(`${DOC}/notp.cdx.json`, billOfMaterials(executable, version));
  settle(root, seconds);
}

/** The files of a folder of the sources, and of the folders in it; none where there is none. */
function names(folder: string): string[] {
  const from = path.join(ROOT, folder);
  if (!fs.existsSync(from)) return [];
  const all = fs.readdirSync(from, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => fs.statSync(path.join(from, name)).isFile() && !NO_EXAMPLE.includes(name.split('/')[0] ?? '')).toSorted();
}

/** Where a file of the folder systemd/ belongs. */
function placeOfUnit(name: string): string {
  const { dir, name: stem, ext } = path.parse(name);
  if (dir !== '') return `usr/lib/systemd/system/${name}`;
  if (ext === '.sysusers') return `usr/lib/sysusers.d/${stem}.conf`;
  if (ext === '.catalog') return `usr/lib/systemd/catalog/${name}`;
  if (ext === '.tmpfiles') return `usr/lib/tmpfiles.d/${stem}.conf`;
  return ext === '.conf' ? `${DOC}/examples/systemd/${name}` : `usr/lib/systemd/system/${name}`;
}

/** One mode for all folders and one time for everything, whoever builds it and when. */
export function settle(root: string, seconds: number): void {
  for (const entry of ['', ...fs.readdirSync(root, { recursive: true, encoding: 'utf8' })].toReversed()) {
    const file = path.join(root, entry);
    if (fs.lstatSync(file).isDirectory()) fs.chmodSync(file, 0o755);
    fs.lutimesSync(file, seconds, seconds);
  }
}
