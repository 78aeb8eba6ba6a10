/** Mistakes in the configuration beside its values: unknown keys, broken TOML, and a file that is not to be trusted. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { NotpError } from '../../src/error.ts';
import { parseConfig, readConfig } from '../../src/system/config.ts';
import { lacks, scratchFolder } from '../support/world.ts';
import { NO_PRIVATE_FILE } from './folder.ts';

function refuses(action: () => unknown, message: RegExp, hint?: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof NotpError && error.code === 'bad_configuration', String(error));
    assert.match(error.message, message);
    assert.match(error.hint ?? '', hint ?? /./);
    return true;
  });
}

describe('an unknown key', () => {
  it('at the top is told with its line and the keys and tables that are known', () => {
    const source = 'context = "ssh"\n\nwindow = 1\n';
    refuses(() => parseConfig(source, 'f'), /^f:3: unknown key "window"$/, /^known here: secrets, .*\[policy\]/);
  });

  for (const [table, known] of Object.entries({ code: 'digits', policy: 'window', gate: 'tries', store: 'url', audit: 'file' })) {
    it(`in [${table}] is told with its line and the keys that are known there`, () => {
      const source = `[code]\n[policy]\n[gate]\n[store]\n[audit]\n`.replace(`[${table}]`, `[${table}]\n# nothing\ntypo = 1`);
      const line = source.split('\n').indexOf('typo = 1') + 1;
      const hint = new RegExp(`^known here: .*\\b${known}\\b`);
      refuses(() => parseConfig(source, 'f'), new RegExp(`^f:${line}: unknown key "typo" in \\[${table}\\]$`), hint);
    });
  }

  const written: readonly (readonly [source: string, message: RegExp])[] = [
    ['[polcy]\nwindow = 1', /^f:1: unknown key "polcy"$/],
    ['\npolicy.windw = 1', /^f:2: unknown key "windw" in \[policy\]$/],
    ['\npolicy = { windw = 1 }', /^f:2: unknown key "windw" in \[policy\]$/],
    ['\n[ policy ]\n"windw" = 1', /^f:3: unknown key "windw" in \[policy\]$/],
    ['"a\\u001b[2J" = 1', /^f:1: unknown key "a\\u001b\[2J"$/],
    ['__proto__ = 1', /^f:1: unknown key "__proto__"$/],
    ['constructor = 1', /^f:1: unknown key "constructor"$/],
    ['[policy]\ntoString = 1', /^f:2: unknown key "toString" in \[policy\]$/],
    ['""."context" = "x"', /^f:1: unknown key ""$/],
  ];
  for (const [source, message] of written) {
    it(`is found in ${JSON.stringify(source)}`, () => {
      refuses(() => parseConfig(source, 'f'), message);
    });
  }
});

describe('what is no table', () => {
  for (const value of ['1', '"x"', 'true', '[]', '[{}]', '1979-05-27', '07:32:00']) {
    it(`is told: policy = ${value}`, () => {
      refuses(() => parseConfig(`\npolicy = ${value}`, 'f'), /^f:2: "policy" must be a table$/, /^write \[policy\]/);
    });
  }

  it('is told: a list of tables', () => {
    refuses(() => parseConfig('\n[[policy]]\nwindow = 1', 'f'), /^f:2: "policy" must be a table$/);
  });

  it('is told: a table where a value belongs', () => {
    refuses(() => parseConfig('\n[context]\nx = 1', 'f'), /^f:2: context must be a context name, or a list/);
  });
});

describe('broken TOML', () => {
  const sources = [
    '\ncontext = "ssh',
    '\ncontext =',
    '\n[policy',
    '\n= 1',
    '\ncontext = ssh',
    '\nx = 99999999999999999999',
    '\na = 1\r',
    '\n\u0000',
  ];
  for (const source of [...sources, 'context = "a"\ncontext = "b"']) {
    it(`is told with its line: ${JSON.stringify(source)}`, () => {
      refuses(() => parseConfig(source, 'f'), /^f:2: \P{Cc}+$/u, /TOML/);
    });
  }
});

describe('the file', () => {
  const folder = scratchFolder('config');
  let files = 0;
  const newFile = (source: string | Uint8Array, mode = 0o644): string => {
    const file = path.join(folder, `notp-${files++}.toml`);
    fs.writeFileSync(file, source);
    fs.chmodSync(file, mode);
    return file;
  };

  it('that was named is read', () => {
    assert.equal(readConfig(newFile('[policy]\nwindow = 3')).policy.window, 3);
    assert.equal(readConfig(path.relative(process.cwd(), newFile('context = "x"'))).context, 'x');
  });

  it('that was named must be there', () => {
    assert.throws(() => readConfig(path.join(folder, 'nowhere.toml')), {
      code: 'bad_configuration',
      message: /nowhere\.toml: there is no such file$/,
    });
    assert.throws(() => readConfig(path.join(folder, 'no/where.toml')), { message: /there is no such file$/ });
  });

  for (const mode of [0o664, 0o646, 0o666]) {
    it(`is refused where others can write it: ${mode.toString(8)}`, () => {
      const file = newFile('', mode);
      refuses(() => readConfig(file), /has mode 06[46][46], which lets others in$/, new RegExp(`chmod 644 ${file}`));
    });
  }

  it('is refused where it belongs to somebody else', { skip: lacks({ root: true }) }, () => {
    const file = newFile('');
    fs.chownSync(file, 12_345, 0);
    refuses(() => readConfig(file), /belongs to somebody else$/, new RegExp(`chown -h root ${file} && chmod 644 ${file}`));
  });

  it('is refused in a folder that others can write', () => {
    const open = path.join(folder, 'open');
    fs.mkdirSync(open);
    fs.chmodSync(open, 0o777);
    fs.writeFileSync(path.join(open, 'notp.toml'), '');
    refuses(() => readConfig(path.join(open, 'notp.toml')), /open can be written by others$/);
  });

  for (const { what, root = false, put } of NO_PRIVATE_FILE) {
    it(`is refused where it is ${what}`, { timeout: 10_000, skip: lacks({ root }) }, async () => {
      const place = path.join(folder, `hostile-${files++}.toml`);
      await put(place, 'context = "x"');
      refuses(() => readConfig(place), /hostile-/);
    });
  }

  it('is refused over 64 KiB, and not at 64 KiB', () => {
    assert.equal(readConfig(newFile('#'.repeat(64 * 1024))).context, 'ssh');
    refuses(() => readConfig(newFile('#'.repeat(64 * 1024 + 1))), /is over 65536 bytes$/);
  });

  it('is refused where it is not UTF-8', () => {
    refuses(() => readConfig(newFile(Buffer.from('secrets = "/\xff"', 'latin1'))), /is not UTF-8$/, /iconv/);
  });

  it('with a name that no file can have is refused, which was an internal error', () => {
    refuses(() => readConfig(`${folder}/${'x'.repeat(300)}`), /ENAMETOOLONG/);
    refuses(() => readConfig(`${folder}/${'x'.repeat(300)}/notp.toml`), /ENAMETOOLONG/);
  });
});
