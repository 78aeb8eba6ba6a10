/** The architecture holds: imports run one way, the pure folders are pure, and each library has one door. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './support/process.ts';

const SRC = path.join(ROOT, 'src');

/** From the top down: whoever stands higher may import from whoever stands lower, never the other way. */
const LAYERS: readonly (readonly string[])[] = [
  ['main.ts'],
  ['cli.ts'],
  ['commands'],
  ['doors', 'doctor', 'setup'],
  ['enrolment'],
  ['login'],
  ['wire', 'outage'],
  ['state'],
  ['store', 'audit', 'terminal', 'system'],
  ['otp', 'seal', 'verdict', 'formats'],
  ['error.ts', 'lists.ts', 'json.ts'],
];
const PURE = ['otp', 'seal', 'verdict', 'formats'];
const ALLOWED_IN_PURE = ['node:crypto'];

/** Which files may import a library. */
const IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  '@noble/ciphers': ['formats/ente.ts', 'seal/xchacha.ts'],
  pg: ['store/postgres/schema.ts', 'store/postgres/session.ts', 'store/postgres/transaction.ts'],
};

interface Import {
  readonly from: string;
  /** A path below src, or the name of a module. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** They tell which command was run, and with what. */
const TELL_WHAT_RAN = ['setup/pam-file.ts', 'setup/sshd-drop-in.ts', 'system/systemd.ts'];
/** The beginning of a command for a shell, and something that is put into it. */
const COMMAND =
  /(?:^|[\s(:"])(?:sudo|notp-enroll|notp (?!pam\b)(?:status|list|enroll|revoke|unlock|verify|recovery|reseal|export|import|code|remove|store|setup|audit)|runuser|setpriv|chown|chmod|rm|mv|mkdir|df|getent|gpasswd|user(?:add|mod)|systemctl|journalctl|--(?:user|file)) [^.;`]*\$\{/;

const FILES = fs
  .readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .toSorted();
const SOURCES = new Map(FILES.map((file) => [file, fs.readFileSync(path.join(SRC, file), 'utf8')]));
const IMPORTS = [...SOURCES].flatMap(([file, source]) => importsOf(file, source));

function importsOf(from: string, source: string): Import[] {
  const statements = source.matchAll(/^(?:import|export)\s(type\s)?(?:[^;'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm);
  const dynamic = source.matchAll(/\b(?:import|require|getBuiltinModule)(\(\s*)['"]([^'"]+)['"]/g);
  return [...statements, ...dynamic].map(([, type, name = '']) => {
    const to = name.startsWith('.') ? path.join(path.dirname(from), name) : name;
    return { from, to, typeOnly: type?.startsWith('type') === true };
  });
}

function isOurs({ to }: Import): boolean {
  return FILES.includes(to);
}

/** The folder below src, or the file where it lies in src itself. */
function part(file: string): string {
  return file.split('/')[0] ?? file;
}

function layer(file: string): number {
  const found = LAYERS.findIndex((parts) => parts.includes(part(file)));
  assert.notEqual(found, -1, `${file} stands in no layer`);
  return found;
}

/** The package that a module belongs to; undefined for Node's own. */
function library(name: string): string | undefined {
  if (name.startsWith('node:')) return undefined;
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The code of a file without its comments. */
function code(source: string): string {
  return source.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function told({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

/** The nodes (files, or what `nodeOf` makes of them) that need themselves. */
function circles(nodeOf: (file: string) => string): string[] {
  const pairs = IMPORTS.filter(isOurs)
    .map(({ from, to }) => ({ from: nodeOf(from), to: nodeOf(to) }))
    .filter(({ from, to }) => from !== to);
  const below = (node: string): string[] => pairs.filter(({ from }) => from === node).map(({ to }) => to);
  return [...new Set(pairs.map(({ from }) => from))].filter((start) => {
    const reached = new Set(below(start));
    // A set that grows while it is walked is walked to its end.
    for (const each of reached) for (const next of below(each)) reached.add(next);
    return reached.has(start);
  });
}

/** The files whose code matches `pattern`. */
function filesWith(pattern: RegExp): string[] {
  return [...SOURCES].filter(([, source]) => pattern.test(code(source))).map(([file]) => file);
}

it('the imports of every file are seen', () => {
  const seen = new Set(IMPORTS.filter(isOurs).flatMap(({ from, to }) => [from, to]));
  assert.deepEqual(
    FILES.filter((file) => !seen.has(file)),
    [],
  );
  assert.ok(IMPORTS.some(({ from, to, typeOnly }) => from === 'verdict/decide.ts' && to === 'seal/seal.ts' && typeOnly));
});

describe('imports', () => {
  it('run down the layers, never up', () => {
    assert.deepEqual(IMPORTS.filter((each) => isOurs(each) && layer(each.to) < layer(each.from)).map(told), []);
  });

  it('go round in no circle of files, types included', () => {
    assert.deepEqual(
      circles((file) => file),
      [],
    );
  });

  it('go round in no circle of rooms, types included', () => {
    assert.deepEqual(circles(part), []);
  });

  it('name files that are there, or modules', () => {
    const ours = IMPORTS.filter(({ to }) => to.endsWith('.ts'));
    assert.deepEqual(ours.filter((each) => !isOurs(each)).map(told), []);
  });

  it('of error.ts, lists.ts and json.ts are none: they are leaves', () => {
    assert.deepEqual(IMPORTS.filter(({ from }) => ['error.ts', 'lists.ts', 'json.ts'].includes(from)).map(told), []);
  });
});

function inPure(file: string): boolean {
  return PURE.includes(part(file));
}

describe('the pure folders', () => {
  it('import nothing of Node but its crypto', () => {
    const builtin = IMPORTS.filter(({ from, to }) => inPure(from) && to.startsWith('node:'));
    assert.deepEqual(builtin.filter(({ to }) => !ALLOWED_IN_PURE.includes(to)).map(told), []);
  });

  for (const [what, pattern] of Object.entries({
    'ask no process': /\bprocess\./,
    'read no clock': /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\./,
    'draw no random bytes': /\brandom\w+[^;]*\bfrom 'node:crypto'|\bcrypto\.(random|getRandom|webcrypto)|\bMath\.random/,
    'set no timer': /\bset(Timeout|Interval|Immediate)\b/,
  })) {
    it(what, () => {
      assert.deepEqual(filesWith(pattern).filter(inPure), []);
    });
  }
});

describe('the store', () => {
  const ofSqlite = IMPORTS.filter(({ to }) => to === 'node:sqlite' || to.startsWith('store/sqlite'));

  it('is the only folder that knows SQLite', () => {
    assert.ok(ofSqlite.some(({ to }) => to === 'node:sqlite'));
    assert.deepEqual(ofSqlite.filter(({ from }) => part(from) !== 'store').map(told), []);
  });

  it('is opened in one place there, which chooses the kind', () => {
    assert.deepEqual(ofSqlite.filter(({ to, typeOnly }) => to === 'store/sqlite/sqlite.ts' && !typeOnly).map(told), [
      'store/open.ts imports store/sqlite/sqlite.ts',
    ]);
  });
});

describe('records', () => {
  it('of what is done with an enrolment are written by recordChange alone, which no command can forget', () => {
    assert.deepEqual(
      filesWith(/\b(append|appendUnlinked)\(/).filter((file) => part(file) !== 'audit'),
      [
        ...[
          'commands/audit/verify.ts',
          'commands/doctor/changes.ts',
          'commands/keys/init.ts',
          'commands/keys/rotate.ts',
          'commands/store/outage.ts',
        ],
        ...['login/login.ts', 'login/open.ts', 'login/record.ts', 'outage/report.ts'],
      ],
    );
  });

  it('are written through enrolment/change.ts alone, so that the copy for outages misses none', () => {
    assert.deepEqual(
      filesWith(/\brecordChange\b/).filter((file) => part(file) !== 'audit'),
      ['enrolment/change.ts'],
    );
  });
});

describe('each library', () => {
  const importers = Map.groupBy(
    IMPORTS.filter((each) => !isOurs(each) && library(each.to) !== undefined),
    ({ to }) => library(to) ?? '',
  );

  for (const [name, imports] of importers) {
    it(`has one importer, or the ones that are listed: ${name}`, () => {
      const files = [...new Set(imports.map(({ from }) => from))];
      const allowed = IMPORTERS[name];
      if (name === 'commander')
        assert.deepEqual(
          files.filter((file) => file !== 'cli.ts' && part(file) !== 'commands'),
          [],
        );
      else if (allowed === undefined) assert.equal(files.length, 1, `${name} is imported by ${files.join(', ')}`);
      else assert.deepEqual(files.toSorted(), allowed.toSorted());
    });
  }

  it('is a dependency of the package, and each dependency is imported', () => {
    const { dependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { dependencies: object };
    assert.deepEqual([...importers.keys()].toSorted(), Object.keys(dependencies).toSorted());
  });
});

describe('the sources', () => {
  it('speak through the printer, never through the console', () => {
    assert.deepEqual(filesWith(/\bconsole\s*\./), []);
  });

  it('end the process in one place', () => {
    assert.deepEqual(filesWith(/\bprocess\.(exit\b|exitCode\b|abort\b|reallyExit\b)/), ['main.ts']);
  });

  it('parse JSON in one place', () => {
    assert.deepEqual(filesWith(/\bJSON\.parse\b/), ['json.ts']);
  });

  it('put nothing into a command that somebody is told to run but by shellCommand', () => {
    const texts = [...SOURCES].flatMap(([file, source]) => [...code(source).matchAll(/(\w*)`([^`]*)`/g)].map((match) => ({ file, match })));
    const bare = texts.filter(
      ({ file, match: [, tag, text = ''] }) => tag !== 'shellCommand' && COMMAND.test(text) && !TELL_WHAT_RAN.includes(file),
    );
    assert.deepEqual(
      bare.map(({ file, match }) => `${file}: ${match[0]}`),
      [],
    );
  });

  it('have no default exports', () => {
    assert.deepEqual(filesWith(/^export default\b|\bas default\b/m), []);
  });

  it('open with a comment on what they are for', () => {
    const without = [...SOURCES].filter(([, source]) => !source.startsWith('/**'));
    assert.deepEqual(
      without.map(([file]) => file),
      [],
    );
  });
});
