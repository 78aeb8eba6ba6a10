/** A user with state of their own, for tests of commands: whoever runs the tests, with a configuration that keeps everything in a scratch folder. */
import * as fs from 'node:fs';
import { userInfo } from 'node:os';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { run, runInTerminal, sleep, type Ran, type RunOptions, type Terminal } from '../support/process.ts';
import { builtNotp, scratchFolder, SOURCE_NOTP, type Enrolled } from '../support/world.ts';

export const PASSPHRASE = 'correct horse';

export interface OwnState {
  readonly folder: string;
  readonly config: string;
  /** The folder of the sealed files, the store and the log. */
  readonly secrets: string;
  readonly passphraseFile: string;
  notp(words: readonly string[], options?: RunOptions): Promise<Ran>;
  inTerminal(words: readonly string[], columns?: number): Terminal;
  /** Enrols without questions, replacing what is there. */
  enrol(context?: string, words?: readonly string[]): Promise<Enrolled>;
  verify(code: string, context?: string, words?: readonly string[]): Promise<Ran>;
  /** Everything that an enrolment could have changed. */
  snapshot(): unknown;
  records(): Record<string, unknown>[];
  /** Waits until no process of this state runs any more. */
  untilGone(): Promise<void>;
}

/** `parent`: where the folder of secrets is made; a scratch folder unless it must be elsewhere. `tables`: more TOML. */
export function ownState(name: string, { parent, tables = '' }: { parent?: string; tables?: string } = {}): OwnState {
  const folder = scratchFolder(name);
  const config = path.join(folder, 'notp.toml');
  const secrets = path.join(parent ?? folder, userInfo().username);
  const passphraseFile = path.join(folder, 'passphrase');
  fs.writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  const places = `secrets = "${parent ?? folder}/%u"\n[store]\nurl = "user"\n[audit]\njournal = false\n`;
  fs.writeFileSync(config, places + tables, { mode: 0o644 });
  const words = ([command = '', ...rest]: readonly string[]): string[] => [...SOURCE_NOTP, command, '--config', config, ...rest];
  const notp: OwnState['notp'] = (given, options) => run(words(given), options);
  return {
    ...{ folder, config, secrets, passphraseFile, notp },
    inTerminal: (given, columns = 80) => runInTerminal(words(given), { columns, environment: { TERM: 'xterm', LC_ALL: 'C.UTF-8' } }),
    enrol: async (context = 'ssh', more = []) => {
      const common = ['--seal', 'passphrase', '--passphrase-file', passphraseFile, '--no-confirm', '--json', '--replace'];
      const given = ['enroll', context, ...common, ...more];
      const { code, stdout, stderr } = await (more.length === 0 ? run([builtNotp(), ...given, '--config', config]) : notp(given));
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout) as Enrolled;
    },
    verify: (code, context = 'ssh', more = []) =>
      notp(['verify', context, '--json', '--code-stdin', '--passphrase-file', passphraseFile, ...more], { input: `${code}\n` }),
    snapshot: () => ({ files: filesOf(secrets), rows: rowsOf(path.join(secrets, '.state.db')) }),
    records: () => recordsOf(path.join(secrets, '.audit.log')),
    untilGone: () => untilNoneHas(config),
  };
}

/** What the store holds on enrolments. */
export function rowsOf(database: string): Record<string, unknown>[] {
  const store = new DatabaseSync(database, { readOnly: true });
  try {
    return store
      .prepare('SELECT * FROM enrolment ORDER BY user, context')
      .all()
      .map((row) => ({ ...row }));
  } finally {
    store.close();
  }
}

export function recordsOf(log: string): Record<string, unknown>[] {
  return fs
    .readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Name and content of each file, without the journal of the store. */
function filesOf(folder: string): Record<string, string> {
  const names = fs.readdirSync(folder).filter((name) => name !== '.state.db-journal');
  return Object.fromEntries(
    names.toSorted().map((name) => [name, name === '.state.db' ? '' : fs.readFileSync(path.join(folder, name), 'base64')]),
  );
}

async function untilNoneHas(word: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (!fs.readdirSync('/proc').some((pid) => commandLine(pid).includes(word))) return;
    await sleep(50);
  }
  throw new Error(`a process with ${word} did not end`);
}

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
