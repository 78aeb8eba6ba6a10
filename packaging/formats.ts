/** The packages: for Debian and its relatives, as an archive for everybody else, and as an RPM where rpmbuild is there. All from the same tree. */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT } from './bundle.ts';
import { TARGETS, type Target } from './executable.ts';
import { settle } from './stage.ts';

const HERE = path.join(ROOT, 'packaging');
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'];

/** A tree that is ready, and what it is called. */
export interface Product {
  readonly root: string;
  readonly version: string;
  readonly target: Target;
  readonly seconds: number;
  /** How hard to compress; a test has no time for "best". */
  readonly compression: 'best' | 'none';
  /** The folder that the package is written to. */
  readonly to: string;
}

/** Writes notp_VERSION_ARCH.deb and gives its path. Adds what only Debian has to the tree. */
export function buildDeb({ root, version, target, seconds, compression, to }: Product): string {
  const put = (name: string, content: string | Buffer, mode = 0o644): void => {
    fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), content);
    fs.chmodSync(path.join(root, name), mode);
  };
  const doc = 'usr/share/doc/notp';
  put('usr/share/lintian/overrides/notp', read('debian/lintian-overrides'));
  put(`${doc}/copyright`, read('debian/copyright'));
  put(`${doc}/changelog.gz`, gzipSync(debianChangelog(version, seconds), { level: 9 }));
  const installed = fs.readdirSync(root, { recursive: true, encoding: 'utf8' });
  const kilobytes = installed.reduce((sum, name) => sum + 1 + Math.floor(fs.lstatSync(path.join(root, name)).size / 1024), 0);
  const control = read('debian/control').replace('@VERSION@', version).replace('@ARCH@', TARGETS[target].debian);
  put('DEBIAN/control', control.replace('@SIZE@', String(kilobytes)));
  for (const list of ['conffiles', 'triggers']) put(`DEBIAN/${list}`, read(`debian/${list}`));
  for (const script of SCRIPTS)
    if (fs.existsSync(path.join(HERE, 'debian', script))) put(`DEBIAN/${script}`, read(`debian/${script}`), 0o755);
  const sums = installed.filter((name) => !name.startsWith('etc/') && fs.lstatSync(path.join(root, name)).isFile());
  put('DEBIAN/md5sums', execFileSync('md5sum', [...sums, `${doc}/copyright`, `${doc}/changelog.gz`].toSorted(), { cwd: root }));
  settle(root, seconds);
  const file = path.join(to, `notp_${version}_${TARGETS[target].debian}.deb`);
  const compressed = compression === 'best' ? ['-Zxz', '-z6'] : ['-Znone'];
  execFileSync('dpkg-deb', ['--root-owner-group', ...compressed, '--build', root, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(seconds) },
  });
  fs.rmSync(path.join(root, 'DEBIAN'), { recursive: true });
  return file;
}

/** Writes notp-VERSION-TARGET.tar.gz, which unpacks into the root of a system, and gives its path. */
export function buildArchive({ root, version, target, seconds, compression, to }: Product): string {
  const file = path.join(to, `notp-${version}-${target}.tar.gz`);
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const words = ['--create', '--sort=name', '--format=gnu', `--mtime=@${String(seconds)}`, ...owner, '--exclude=./usr/share/lintian'];
  const gzip = `gzip -n -${compression === 'best' ? '9' : '1'}`;
  execFileSync('tar', [...words, `--use-compress-program=${gzip}`, `--file=${file}`, '.'], { cwd: root });
  return file;
}

/** Writes an RPM and gives its path; undefined where rpmbuild is not installed. */
export function buildRpm({ root, version, target, seconds, compression, to }: Product): string | undefined {
  if (spawnSync('rpmbuild', ['--version']).error !== undefined) return undefined;
  const work = fs.mkdtempSync(path.join(to, '.rpm-'));
  try {
    const { rpm } = TARGETS[target];
    const defines = {
      _topdir: work,
      notp_version: version,
      notp_tree: root,
      notp_payload: compression === 'best' ? 'w6.xzdio' : 'w1.gzdio',
      use_source_date_epoch_as_buildtime: '1',
      clamp_mtime_to_source_date_epoch: '1',
      _buildhost: 'localhost',
    };
    const words = Object.entries(defines).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
    execFileSync('rpmbuild', ['-bb', '--quiet', '--target', rpm, ...words, path.join(HERE, 'rpm/notp.spec')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SOURCE_DATE_EPOCH: String(seconds) },
    });
    const file = path.join(to, `notp-${version}-1.${rpm}.rpm`);
    fs.renameSync(path.join(work, 'RPMS', rpm, path.basename(file)), file);
    return file;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function debianChangelog(version: string, seconds: number): string {
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
  const [, maintainer = ''] = /^Maintainer: (.*)$/m.exec(read('debian/control')) ?? [];
  return `notp (${version}) unstable; urgency=medium\n\n  * See /usr/share/doc/notp/CHANGELOG.md.gz.\n\n -- ${maintainer}  ${date}\n`;
}

function read(name: string): string {
  return fs.readFileSync(path.join(HERE, name), 'utf8');
}
