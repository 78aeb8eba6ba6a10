/** What the man pages are about, and how a command looks in the synopsis of one: in mdoc(7). */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { programShapes, withSubcommands, type CommandShape, type OptionShape } from '../../completions/tree.ts';
import { ROOT } from '../support/process.ts';

export const MAN = path.join(ROOT, 'man');
const SYNOPSIS_LEAVES_OUT = '--help';

/** Each page with the sections that describe options, and the commands of each; the page of the file has none. */
export const PAGES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'notp.1': {
    OPTIONS: ['notp'],
    verify: ['notp verify'],
    status: ['notp status'],
    unlock: ['notp unlock'],
    forget: ['notp forget'],
    revoke: ['notp revoke'],
    recovery: ['notp recovery'],
    reseal: ['notp reseal'],
    'host-key': ['notp host-key init', 'notp host-key id', 'notp host-key rotate', 'notp host-key retire'],
    store: ['notp store migrate', 'notp store copy', 'notp store hosts', 'notp store approve', 'notp store approved', 'notp store refresh'],
    import: ['notp import'],
    code: ['notp code'],
    export: ['notp export'],
    list: ['notp list'],
    passphrase: ['notp passphrase'],
    rename: ['notp rename'],
    remove: ['notp remove'],
    demo: ['notp demo'],
    rules: ['notp rules', 'notp rules put', 'notp rules get', 'notp rules remove', 'notp rules explain'],
    config: ['notp config check'],
    grant: ['notp grant'],
    grants: ['notp grants'],
    fleet: ['notp fleet', 'notp fleet init', 'notp fleet host-cert', 'notp fleet revoke'],
  },
  'notp-enroll.1': { OPTIONS: ['notp-enroll', 'notp enroll'] },
  'notp-audit.1': { OPTIONS: ['notp audit', 'notp audit verify', 'notp audit report'] },
  'notp-setup.8': {
    OPTIONS: ['notp setup gate', 'notp setup pam', 'notp setup sudo', 'notp setup confirm', 'notp setup undo', 'notp setup callers'],
  },
  'notp-doctor.8': { OPTIONS: ['notp doctor'] },
  'notp-metrics.8': { OPTIONS: ['notp metrics'] },
  'notp-gate.8': { OPTIONS: ['notp gate'] },
  'notp-pam.8': { OPTIONS: ['notp pam'] },
  'notp-serve.8': { OPTIONS: ['notp serve'] },
  'notp.toml.5': {},
};

const commands = new Map((await programShapes()).flatMap(withSubcommands).map((command) => [command.words.join(' '), command]));

/** All commands that do something themselves, as they are typed. */
export const COMMANDS: readonly string[] = [...commands]
  .filter(([, { subcommands, options }]) => subcommands.length === 0 || options.some(({ names }) => names.includes('--config')))
  .map(([name]) => name);

/** The command that is typed so. Throws where there is none. */
export function commandNamed(name: string): CommandShape {
  const command = commands.get(name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return command;
}

/** The text of a page. */
export function page(name: string): string {
  return readFileSync(path.join(MAN, name), 'utf8');
}

/** What stands between the heading of a section (`.Sh` or `.Ss`) and the next; empty where there is none. */
export function section(text: string, title: string): string {
  const [before, ...parts] = text.split(/^\.S[hs] /m);
  return before === undefined ? '' : parts.filter((part) => part.startsWith(`${title}\n`)).join('\n');
}

/** An option as arguments of `.It` and `.Op`: `Fl n , Fl -lines Ar n`. */
export function optionInMdoc({ names, value, repeatable }: OptionShape): string {
  const flags = names.map((name) => `Fl ${name.slice(1)}`).join(' , ');
  return `${flags}${value === undefined ? '' : ` Ar ${value}`}${repeatable ? ' ...' : ''}`;
}

/** The lines of a synopsis. */
export function synopsisOf(command: CommandShape): readonly string[] {
  const [program = '', ...words] = command.words;
  const options = command.options.filter(({ names }) => !names.includes(SYNOPSIS_LEAVES_OUT));
  return [
    `.Nm ${program}`,
    ...(words.length === 0 ? [] : [`.Cm ${words.join(' ')}`]),
    ...options.map((option) => `.Op ${optionInMdoc(option)}`),
    ...command.arguments.map(({ name, required, repeatable }) => `${required ? '.Ar' : '.Op Ar'} ${name}${repeatable ? ' ...' : ''}`),
  ];
}
