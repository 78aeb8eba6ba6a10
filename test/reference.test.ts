/** The pages of docs/ that are for looking something up list what the code has, and nothing else: keys, exit codes, files, units, messages. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { factsOf } from '../src/enrolment/facts.ts';
import { outagePlace } from '../src/outage/outage.ts';
import { logIdFile } from '../src/state/log-id.ts';
import { defaultConfig, parseConfig } from '../src/system/config.ts';
import { Expected, SETTINGS, type Setting } from '../src/system/settings.ts';
import { WORDING } from '../src/verdict/reasons.ts';
import { printEnrolAnswer, printEnrolQuestion, type EnrolAnswer, type EnrolQuestion } from '../src/wire/enrolment.ts';
import { printGreeting } from '../src/wire/fleet-judges.ts';
import { isPing, printPong } from '../src/wire/ping.ts';
import { HELLO, printAnswer, printQuestion, printRefusal } from '../src/wire/question.ts';
import { NotpError } from '../src/error.ts';
import { COMMANDS } from './man/pages.ts';
import { ALICE } from './store/alice.ts';
import { tableOf } from './support/markdown.ts';
import { ROOT } from './support/process.ts';
import { QUESTION } from './wire/questions.ts';

const SOURCES = textsIn('src').join('\n');
const UNITS = [...textsIn('systemd'), ...textsIn('packaging/debian')].join('\n');

function textsIn(folder: string): string[] {
  return filesIn(folder).map((name) => textOf(path.join(folder, name)));
}

function filesIn(folder: string): string[] {
  const all = fs.readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  return all.filter((each) => each.isFile()).map((each) => path.relative(path.join(ROOT, folder), path.join(each.parentPath, each.name)));
}

function textOf(file: string): string {
  return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

/** The rows of a table of docs/, without the marks of code around a whole cell. */
function rowsOf(page: string, table: string): string[][] {
  return tableOf(textOf(`docs/${page}`), table).map((row) => row.map((cell) => /^`([^`]*)`$/.exec(cell)?.[1] ?? cell));
}

function firstsOf(page: string, table: string): string[] {
  return rowsOf(page, table).map(([first = '']) => first);
}

/** `found` in order, each once. */
function distinct(found: Iterable<string>): string[] {
  return [...new Set(found)].toSorted();
}

describe('docs/configuration.md', () => {
  const settings = new Map(
    Object.values<Setting<unknown>>(SETTINGS).map((each) => [each.table === '' ? each.key : `${each.table}.${each.key}`, each]),
  );

  it('has each key of notp.toml, and no other, with what it takes, its default and an example', () => {
    const rows = rowsOf('configuration.md', 'settings');
    assert.deepEqual(firstsOf('configuration.md', 'settings').toSorted(), [...settings.keys()].toSorted());
    for (const [key = '', takes, standard = '', , example = ''] of rows) {
      const setting = settings.get(key);
      const wrong = setting?.check(undefined);
      assert.ok(wrong instanceof Expected, key);
      assert.equal(takes, wrong.what, key);
      assert.deepEqual(JSON.parse(standard), setting?.standard, key);
      assert.ok(!(setting?.check(JSON.parse(example)) instanceof Expected), `${key}: ${example}`);
      assert.notDeepEqual(JSON.parse(example), setting?.standard, key);
    }
  });

  it('says who reads a key in the words that it explains', () => {
    const known = ['gate', 'PAM', 'service', 'enrolment', 'doctor', 'setup', 'commands', '`notp'];
    for (const [key = '', , , readers = ''] of rowsOf('configuration.md', 'settings'))
      for (const reader of readers.replaceAll(/ ?\([^)]*\)/g, '').split(', '))
        assert.ok(known.includes(reader.split(' ')[0] ?? ''), `${key}: ${reader}`);
  });

  it('has each key of a rule, and no other, with an example', () => {
    let known = '';
    try {
      parseConfig('[[rule]]\nunknown = 1\n', 'notp.toml');
    } catch (error) {
      known = error instanceof NotpError ? (error.hint ?? '') : '';
    }
    assert.deepEqual(firstsOf('configuration.md', 'rules').toSorted(), known.replace('known here: ', '').split(', ').toSorted());
    for (const [key = '', , , example = ''] of rowsOf('configuration.md', 'rules'))
      assert.equal(parseConfig(`[[rule]]\n${key === 'ask' ? '' : 'ask = "code"\n'}${example}\n`, 'notp.toml').rules.length, 1, key);
  });
});

describe('docs/exit-codes.md', () => {
  /** The commands with a code that is an answer, by their source. */
  const ANSWERS: Readonly<Record<string, readonly string[]>> = {
    'audit/story.ts': ['notp audit'],
    'audit/verify.ts': ['notp audit verify'],
    'codes/export-all.ts': ['notp export'],
    'codes/list.ts': ['notp list', 'notp code'],
    'codes/passphrase-all.ts': ['notp passphrase'],
    'doctor/changes.ts': ['notp doctor'],
    'doctor/doctor.ts': ['notp doctor'],
    'enroll/batch.ts': ['notp enroll', 'notp-enroll'],
    'import/users-file.ts': ['notp import'],
    'keys/reseal.ts': ['notp reseal'],
    'metrics/metrics.ts': ['notp metrics'],
    'setup/callers.ts': ['notp setup callers'],
    'setup/setup.ts': ['notp setup gate', 'notp setup pam', 'notp setup sudo'],
    'store/outage.ts': ['notp store refresh'],
    'verify/verify.ts': ['notp verify'],
  };
  const CODE = /^ *(?:if \(.*\) )?return (?:.* \? ([0-3]) : )?([0-3]);$/gm;

  it('has each kind of error, and no other, with its code', () => {
    const [, body = ''] = /^function exitCodeOf[^]*?\{([^]*?)^\}/m.exec(textOf('src/main.ts')) ?? [];
    const codes = [...body.matchAll(/((?: *case '\w+':\n)+) *return (\w+);/g)].flatMap(([, cases = '', code = '']) =>
      [...cases.matchAll(/'(\w+)'/g)].map(([, kind = '']) => `${kind} ${code === 'COULD_NOT_DECIDE' ? '3' : code}`),
    );
    assert.deepEqual(
      rowsOf('exit-codes.md', 'errors')
        .map(([kind = '', code = '']) => `${kind} ${code}`)
        .toSorted(),
      codes.toSorted(),
    );
  });

  it('has each command, and no other', () => {
    assert.deepEqual(firstsOf('exit-codes.md', 'commands').toSorted(), COMMANDS.toSorted());
  });

  it('says what a code means where a command has an answer of its own, and there alone', () => {
    const own = new Map<string, Set<string>>([
      ['notp gate', new Set(['1', '3'])],
      ['notp pam', new Set(['1', '3'])],
      // It only throws, and there the code of the error is the answer.
      ['notp config check', new Set(['3'])],
    ]);
    const found = filesIn('src/commands').filter((name) => answersIn(name).length > 0);
    assert.deepEqual(found.toSorted(), Object.keys(ANSWERS).toSorted());
    for (const [name, commands] of Object.entries(ANSWERS))
      for (const command of commands) own.set(command, new Set([...(own.get(command) ?? []), ...answersIn(name)]));
    for (const [command = '', one, three] of rowsOf('exit-codes.md', 'commands')) {
      const told = [one === 'as above' ? [] : ['1'], three === 'as above' ? [] : ['3']].flat();
      assert.deepEqual(told, [...(own.get(command) ?? [])].toSorted(), command);
    }
  });

  function answersIn(name: string): string[] {
    return [...textOf(`src/commands/${name}`).matchAll(CODE)]
      .flatMap((match) => match.slice(1))
      .filter((code) => code === '1' || code === '3');
  }
});

describe('docs/refusals.md', () => {
  it('has each message of a refusal, and no other', () => {
    const rows = textOf('docs/refusals.md')
      .split('\n')
      .filter((line) => line.startsWith('| '));
    const told = rows.slice(2).map((row) => row.split('|')[1]?.trim() ?? '');
    assert.deepEqual(
      told.toSorted(),
      Object.values(WORDING)
        .map(({ message }) => message)
        .toSorted(),
    );
  });
});

describe('docs/files.md', () => {
  /** As the sources have them. */
  const files = firstsOf('files.md', 'files').map((file) => file.replace(/\bUID\b/, '%U'));
  const config = defaultConfig();
  const outage = outagePlace({
    kind: 'service',
    owner: { name: 'notp', uid: 1, gid: 1, home: '/', shell: '/bin/false' },
    store: { kind: 'postgres', servers: [], database: '', user: '', ...config.fleet, outage: 'local' },
    auditFile: config.audit.file,
    journal: true,
    hostKeyFiles: [],
  });
  const made = [logIdFile(config.audit.file), outage?.auditFile ?? ''];

  it('has each place that the code names', () => {
    const named = [...SOURCES.matchAll(/'(?:sqlite:)?(\/(?:etc|run|var\/lib|var\/log)\/notp[^' ]*)'/g)].map(([, file = '']) => file);
    const inUnits = [...UNITS.matchAll(/(?<==|:)(\/(?:etc|run|var\/lib|var\/log)\/notp[\w./-]*)$/gm)].map(([, file = '']) => file);
    assert.ok(named.length > 10 && inUnits.length > 5);
    for (const file of [...named, ...inUnits, ...made])
      assert.ok(
        files.some((each) => each === file || each.startsWith(`${file}/`) || (each === '/var/lib/notp-setup' && file.startsWith(each))),
        file,
      );
  });

  it('has no other', () => {
    for (const file of files.filter((each) => each.startsWith('/') && !made.includes(each))) {
      const [folder, name] = [path.dirname(file), path.basename(file)];
      const joined = SOURCES.includes(`'${folder}'`) && SOURCES.includes(`'${name}'`);
      assert.ok(SOURCES.includes(`'${file}'`) || SOURCES.includes(`'sqlite:${file}'`) || UNITS.includes(file) || joined, file);
    }
    const inHomes = files.filter((each) => each.startsWith('~'));
    assert.deepEqual(inHomes, [`~/.notp/${config.context}`, '~/.notp/NAME', '~/.notp/.state.db', '~/.notp/.audit.log']);
    for (const name of ['.state.db', '.audit.log']) assert.ok(SOURCES.includes(`'${name}'`));
  });

  it('has each unit, and no other', () => {
    assert.deepEqual(firstsOf('files.md', 'units').toSorted(), filesIn('systemd').toSorted());
  });
});

describe('docs/sockets.md', () => {
  const about = { context: 'ssh', sealed: '{}', wrong: '', readings: QUESTION.readings };
  const questions: readonly EnrolQuestion[] = [
    {
      ...{ step: 'begin', replace: true, ...about },
      wanted: { algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: '', account: '', recovery: 10 },
    },
    { step: 'confirm', code: '123456' },
    { step: 'change', ...about, change: { event: 'recovery', passphrase: undefined, recovery: 10 } },
    { step: 'export', ...about },
    { step: 'revoke', ...about },
    { step: 'status', files: [] },
    { step: 'complete' },
    { step: 'abandon' },
    { step: 'forget' },
  ];
  const answers: readonly EnrolAnswer[] = [
    { kind: 'offer', secret: new Uint8Array(20), recovery: [] },
    { kind: 'sealed', file: '{}' },
    { kind: 'anew', file: '{}', recovery: [] },
    { kind: 'secret', uri: '' },
    { kind: 'facts', facts: [factsOf(ALICE, { kind: 'absent' }, { budget: 5, refillMs: 3_600_000 }, 0)] },
    { kind: 'done' },
  ];
  const ping = '{"notp":"ping/2"}';
  const { account, origin } = QUESTION;
  const lines = [
    ...[HELLO, printGreeting(), ping, printPong({ reason: undefined, detail: '', key: '', wire: '' })],
    ...[printQuestion(QUESTION), printRefusal({ account, origin, reason: 'timeout', detail: '' }), printAnswer(undefined)],
    ...questions.map(printEnrolQuestion),
    ...answers.map(printEnrolAnswer),
  ];

  it('has each message, and no other, with its fields', () => {
    assert.ok(isPing(ping));
    const sent = lines.map((line) => {
      const { notp, ...fields } = JSON.parse(line) as { notp: string; step?: string };
      return [fields.step === undefined ? notp : `${notp} ${fields.step}`, ...Object.keys(fields).toSorted()].join(' ');
    });
    const told = tableOf(textOf('docs/sockets.md'), 'messages').map(([message = '', , fields = '']) =>
      [message.replaceAll('`', ''), ...[...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field).toSorted()].join(' '),
    );
    assert.deepEqual(told.toSorted(), sent.toSorted());
  });

  it('has each version that the sources name, and no other', () => {
    const named = [...SOURCES.matchAll(/'([a-z-]+\/\d+)'|"notp":"([a-z]+\/\d+)"/g)].map(([, one, other]) => one ?? other ?? '');
    const messages = firstsOf('sockets.md', 'messages').map((cell) => cell.replaceAll('`', '').split(' ')[0] ?? '');
    assert.deepEqual(distinct([...messages, ...firstsOf('sockets.md', 'formats')]), distinct(named));
  });

  it('has each socket that systemd listens on, and no other', () => {
    const listened = [...UNITS.matchAll(/^ListenStream=(.*)$/gm)].map(([, where = '']) => where.replace('%i', 'UID'));
    const told = firstsOf('sockets.md', 'sockets').map((each) => each.replace(/^port /, ''));
    assert.deepEqual(told.toSorted(), listened.toSorted());
  });
});

describe('docs/compliance.md', () => {
  const rows = ['pci', 'nist'].flatMap((table) => rowsOf('compliance.md', table));

  it('names tests that are there, with a title that they have', () => {
    for (const [requirement = '', , , , , shown = ''] of rows)
      for (const each of shown.split(' <br> ').filter((cell) => cell !== '')) {
        const [, file = '', title = ''] = /^`(test\/[\w/.-]+\.test\.ts)`: "(.+)"$/.exec(each) ?? [];
        assert.ok(
          titlesOf(file).some((known) => known.includes(title)),
          `${requirement}: ${each}`,
        );
      }
  });

  it('calls nothing satisfied that no test shows', () => {
    const verdicts = /^(?:satisfied|in part|not satisfied)\b/;
    for (const [requirement = '', , verdict = '', , , shown] of rows) {
      assert.match(verdict, verdicts, requirement);
      if (!verdict.startsWith('not ')) assert.notEqual(shown, '', requirement);
    }
  });
});

describe('docs/beside.md', () => {
  it('has a source in each cell', () => {
    for (const [what = '', ...cells] of rowsOf('beside.md', 'beside')) {
      assert.equal(cells.length, 6, what);
      for (const cell of cells) assert.match(cell, /\(\[[\w ]+\]\([^)]+\)\)$/, `${what}: ${cell}`);
    }
  });
});

function titlesOf(file: string): string[] {
  return [...textOf(file).matchAll(/\b(?:it|describe)\(\s*['`](.*?)['`],/g)].map(([, title = '']) => title);
}
