/** The completions in bash, fish and zsh themselves: commands, options, values, contexts and users. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, run, runInTerminal } from '../support/process.ts';
import { lacks, scratchFolder } from '../support/world.ts';

const COMPLETIONS = path.join(ROOT, 'completions');

/** What is typed, and all that may follow. Each shell must say the same. */
const LINES: readonly (readonly [string, readonly string[]])[] = [
  ['notp st', ['status', 'store']],
  ['notp un', ['unlock']],
  ['/usr/bin/notp un', ['unlock']],
  ['notp audit ', ['report', 'verify']],
  ['notp host-key r', ['retire', 'rotate']],
  ['notp setup pam --no', ['--no-reload']],
  ['notp list --a', ['--all']],
  // A value that is called as a command is no command.
  ['notp audit --user verify r', ['report']],
  ['notp audit -n 5 v', ['verify']],
  ['notp enroll --seal ', ['host', 'passphrase']],
  ['notp audit --reason wrong_p', ['wrong_passphrase']],
  ['notp export --to q', ['qr']],
  ['notp enroll --digits ', ['6', '7', '8']],
  ['notp code ', ['github', 'gitlab', 'ssh']],
  ['notp code github ssh gi', ['github', 'gitlab']],
  ['notp rename gith', ['github']],
  ['notp rename github g', []],
  ['notp remove gith', ['github']],
  // One name is enough.
  ['notp remove github g', []],
  ['notp audit --context ss', ['ssh']],
  ['notp status --user roo', ['root']],
  ['notp-enroll roo', ['root']],
  ['notp-enroll root gitl', ['gitlab']],
  ['notp-enroll --pend', ['--pending']],
  // Nothing there is worth offering.
  ['notp serve ', []],
  ['notp enroll --issuer g', []],
];

let home: string;
before(() => {
  home = scratchFolder('completions');
  mkdirSync(path.join(home, '.notp/folder'), { recursive: true });
  for (const name of ['github', 'gitlab', 'ssh', '.state.db', 'two words', '$(touch hacked)', '-rf'])
    writeFileSync(path.join(home, '.notp', name), '');
  writeFileSync(path.join(home, 'pass phrase.txt'), '');
});

/** The words that a shell gives for a line, without descriptions. */
type Asking = (line: string) => Promise<readonly string[]>;

async function said(command: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr } = await run(command, { cwd: home, environment: { HOME: home, TERM: 'dumb' } });
  assert.equal(stderr, '');
  const words = stdout.split('\n').map((line) => line.replace(/\t.*/, ''));
  return words.filter((word) => word !== '').toSorted();
}

function everyLine(ask: Asking): void {
  for (const [line, wanted] of LINES) {
    it(`"${line}" may become ${wanted.length === 0 ? 'nothing else' : wanted.join(', ')}`, async () => {
      assert.deepEqual(await ask(line), wanted);
    });
  }
}

describe('in bash', { skip: lacks({ programs: ['bash'] }) }, () => {
  const script = `. ${COMPLETIONS}/notp.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _notp "$1"; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const ask: Asking = async (line) => await said(['bash', '--norc', '-c', script, 'driver', ...line.split(' ')]);
  everyLine(ask);

  it('is there for both names of the program', async () => {
    const { stdout } = await run(['bash', '--norc', '-c', `. ${COMPLETIONS}/notp.bash; complete -p notp notp-enroll`]);
    assert.equal(stdout, 'complete -F _notp notp\ncomplete -F _notp notp-enroll\n');
  });

  it('works on "--option=value", which bash cuts in three', async () => {
    assert.deepEqual(await ask('notp enroll --seal = h'), ['host']);
    assert.deepEqual(await ask('notp enroll --seal ='), ['host', 'passphrase']);
  });

  it('works on a terminal, and puts a name with a blank in as one word', async () => {
    const terminal = runInTerminal(['bash', '--norc', '-i'], { cwd: home, environment: { HOME: home, TERM: 'dumb' } });
    terminal.send(`PS1='rea''dy> '; . ${COMPLETIONS}/notp.bash; notp() { printf '<%s>' "$@"; }\n`);
    await terminal.expect(/ready> /);
    terminal.send('notp exp\t--pass\tpass\\ p\t\n');
    await terminal.expect(/<export><--passphrase-file><pass phrase\.txt>/);
    terminal.send('exit\n');
    assert.equal(await terminal.exited, 0);
  });
});

describe('in fish', { skip: lacks({ programs: ['fish'] }) }, () => {
  const script = `source ${COMPLETIONS}/notp.fish; complete -C "$argv"`;
  const ask: Asking = async (line) => await said(['fish', '--no-config', '-c', script, line]);
  everyLine(ask);

  it('offers files where a file is meant', async () => {
    assert.deepEqual(await ask('notp verify --passphrase-file pass'), ['pass phrase.txt']);
  });
});

describe('in zsh', { skip: lacks({ programs: ['zsh'] }) }, () => {
  // The completion system works in its line editor alone, so what it finds is written down beside being shown.
  const settings = `unset zle_bracketed_paste
fpath=(${COMPLETIONS} $fpath); autoload -U compinit; compinit -u -D; LISTMAX=1000
compadd() {
  local -a hits
  (( \${@[(I)-[AOD]]} )) || { builtin compadd -A hits "$@"; print -rl -- $hits >>~/found }
  builtin compadd "$@"
}
next-line() { print -- ------ >>~/found; zle kill-whole-line }
zle -N next-line; bindkey '^U' next-line; PS1='ready> '
`;
  const found: string[][] = [];
  before(async () => {
    writeFileSync(path.join(home, '.zshrc'), settings);
    const environment = { HOME: home, ZDOTDIR: home, TERM: 'dumb' };
    const terminal = runInTerminal(['zsh', '-d', '-i'], { cwd: home, environment });
    await terminal.expect(/ready> /);
    for (const [line] of LINES) terminal.send(`${line}\t\x15`);
    terminal.send('exit\n');
    assert.equal(await terminal.exited, 0);
    const parts = readFileSync(path.join(home, 'found'), 'utf8').split('------\n');
    for (const part of parts) found.push([...new Set(part.split('\n'))].filter((word) => word !== '').toSorted());
  });
  everyLine((line) => Promise.resolve(found[LINES.findIndex(([each]) => each === line)] ?? ['nothing was asked']));
});
