/** The PAM stack of a service: its lines with `@include`, `include` and `substack` followed. See pam.conf(5). */
import * as fs from 'node:fs';
import * as path from 'node:path';

export interface PamModule {
  readonly kind: 'module';
  /** `requisite`, or what stands in the brackets: `success=ok default=die`. */
  readonly control: string;
  /** The name of the module, without its folder. */
  readonly module: string;
  /** As it is written. */
  readonly path: string;
  /** Not missed where it is not installed: "-auth". */
  readonly isOptional: boolean;
  readonly words: readonly string[];
  /** File and line, for people. */
  readonly where: string;
}

/** Lines that count as one for a jump, and that `done` and `die` do not leave. */
export interface PamSubstack {
  readonly kind: 'substack';
  readonly lines: readonly PamLine[];
}

export type PamLine = PamModule | PamSubstack;
export const TYPES = ['auth', 'account', 'session', 'password'] as const;
export type PamType = (typeof TYPES)[number];

/** The administrator's files stand above the distribution's. */
const FOLDERS = ['/etc/pam.d', '/usr/lib/pam.d', '/usr/etc/pam.d'];
const MAX_DEPTH = 16;
const MAX_FILE_BYTES = 256 * 1024;

/** The lines of `type`; undefined where the service has no file. Throws where a file cannot be read. */
export function pamStack(service: string, type: PamType): PamLine[] | undefined {
  const file = pamFile(service);
  return file === undefined ? undefined : linesOf(file, type, 0);
}

/** The text of the service's own file; empty where it has none. Throws where it cannot be read. */
export function pamText(service: string): string {
  const file = pamFile(service);
  return file === undefined ? '' : fs.readFileSync(file, 'utf8');
}

/** The files that libpam reads for a service, with all that they include, as far as they are there. */
export function pamFiles(service: string): string[] {
  const found = new Set<string>();
  const follow = (name: string): void => {
    const file = pamFile(name);
    if (file === undefined || found.has(file) || !isPlainFile(file) || fs.statSync(file).size > MAX_FILE_BYTES) return;
    found.add(file);
    for (const { text } of wholeLines(fs.readFileSync(file, 'utf8'))) for (const inner of includedBy(text)) follow(inner);
  };
  follow(service);
  return [...found];
}

function includedBy(text: string): string[] {
  const [first = '', second = '', third = ''] = wordsOf(text);
  if (first.toLowerCase() === '@include') return [second];
  return ['include', 'substack'].includes(second.toLowerCase()) ? [third] : [];
}

/** Every module of a stack, in order. */
export function modulesOf(lines: readonly PamLine[]): PamModule[] {
  return lines.flatMap((line) => (line.kind === 'module' ? [line] : modulesOf(line.lines)));
}

/** The program that a line of pam_exec(8) runs, with its arguments; undefined for another module. */
export function execWords({ module, words }: PamModule): readonly string[] | undefined {
  if (module !== 'pam_exec.so') return undefined;
  const start = words.findIndex((word) => !/^(debug|expose_authtok|seteuid|quiet|quiet_log|stdout|log=.*|type=.*)$/.test(word));
  return start === -1 ? [] : words.slice(start);
}

/**
 * What a line of pam_exec(8) does with notp: `code` where it asks for a code, `first-pass` where it asks for the branch, `other` where it starts
 * notp, or names it, in a form that is neither of these; undefined where it is none of notp's.
 */
export function notpLine(line: PamModule): 'code' | 'first-pass' | 'other' | undefined {
  const found = execWords(line) ?? [];
  if (isFirstPassInShell(found)) return 'first-pass';
  const [program = '', pam, ...flags] = found;
  if (path.basename(program) !== 'notp' || pam !== 'pam') return found.some(namesNotp) || isNotp(program) ? 'other' : undefined;
  const asks = flags.filter((flag, i) => !flag.startsWith('--config=') && flag !== '--config' && flags[i - 1] !== '--config');
  if (asks.every((flag) => flag === '--prompt-tty')) return 'code';
  return asks.every((flag) => flag === '--first-pass') ? 'first-pass' : 'other';
}

/**
 * The branch to the password as setup writes it: true only in the first pass of sshd's stack, before any method has succeeded. The shell looks
 * at one variable, and whoever has not shown a factor yet makes the host start nothing larger. `case` and `exit` are no functions of anybody's.
 */
export const FIRST_PASS = '/bin/sh -c [case "$SSH_AUTH_INFO_0" in "") ;; *) exit 1 ;; esac]';
const FIRST_PASS_SCRIPTS = [FIRST_PASS.slice('/bin/sh -c ['.length, -1), 'test -z "$SSH_AUTH_INFO_0"'];

function isFirstPassInShell([shell, flag, script = '', ...more]: readonly string[]): boolean {
  return shell === '/bin/sh' && flag === '-c' && more.length === 0 && FIRST_PASS_SCRIPTS.includes(script);
}

/** A word of a command line with the name of the program in it. */
function namesNotp(word: string): boolean {
  return /(?:^|[^\w.-])notp(?:-enroll|\.cjs)?(?![\w./-])/i.test(word);
}

/** Also under another name, by a symlink. */
function isNotp(program: string): boolean {
  try {
    return program.startsWith('/') && namesNotp(fs.realpathSync(program));
  } catch {
    return false;
  }
}

/** A password, a finger, a token, a ticket. */
const FIRST_FACTOR = /^pam_(unix|sss|sss_gss|ldap|krb5|winbind|systemd_home|fprintd|u2f|pkcs11|ssh_agent_auth)\.so$/;

/** Whether the module takes a first factor. */
export function isFirstFactor({ module }: PamModule): boolean {
  return FIRST_FACTOR.test(module);
}

/** Modules that let somebody on who has shown nothing: they set things up, look at the account or its place, or always say yes. */
const NO_FACTOR =
  /^pam_(permit|deny|env|echo|warn|debug|issue|motd|faildelay|faillock|tally2|nologin|securetty|shells|access|group|localuser|usertype|succeed_if|listfile|time|rootok|wheel|rhosts|cap|keyinit|limits|umask|mkhomedir|mount|ecryptfs|gnome_keyring|kwallet5?|systemd|selinux|sepermit|loginuid|lastlog|namespace|xauth)\.so$/;

/** Whether the module may take a first factor that notp does not know: a RADIUS server, a program of pam_exec(8). */
export function mayBeFactor(line: PamModule): boolean {
  return !isFirstFactor(line) && !NO_FACTOR.test(line.module) && notpLine(line) === undefined;
}

/** Whether the auth stack of a service has a line for the code. */
export function asksForCode(service: string): boolean {
  try {
    return modulesOf(pamStack(service, 'auth') ?? []).some((line) => notpLine(line) === 'code');
  } catch {
    return false;
  }
}

/** The services with a line that starts notp, in whatever form and phase; where their lines cannot be read, those whose own file names it. */
export function servicesWithNotp(): string[] {
  const names = FOLDERS.filter((folder) => fs.existsSync(folder)).flatMap((folder) => fs.readdirSync(folder));
  return [...new Set(names)].filter((name) => isPlainFile(pamFile(name)) && callsNotp(name)).toSorted();
}

function callsNotp(service: string): boolean {
  try {
    return TYPES.some((type) => modulesOf(pamStack(service, type) ?? []).some((line) => notpLine(line) !== undefined));
  } catch {
    return namesNotp(pamText(service));
  }
}

function pamFile(service: string): string | undefined {
  const files = service.startsWith('/') ? [service] : FOLDERS.map((folder) => path.join(folder, service));
  return files.find((file) => fs.existsSync(file));
}

function isPlainFile(file: string | undefined): boolean {
  return file !== undefined && fs.statSync(file).isFile();
}

function linesOf(file: string, type: PamType, depth: number): PamLine[] {
  if (depth > MAX_DEPTH) throw new Error(`${file} is included too deep`);
  if (fs.statSync(file).size > MAX_FILE_BYTES) throw new Error(`${file} is too large for a PAM stack`);
  const texts = wholeLines(fs.readFileSync(file, 'utf8'));
  return texts.flatMap(({ text, number }) => lineOf(text, type, { where: `${file}:${String(number)}`, depth }));
}

/** The lines as libpam puts them together, each with the number of its first one: "#" ends a line, in a word too; one that ends in "\\" goes on in the next that is neither empty nor a comment. */
function wholeLines(text: string): { readonly text: string; readonly number: number }[] {
  const whole: { text: string; number: number }[] = [];
  let open: { text: string; number: number } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const [before = '', ...comment] = line.trim().split('#');
    if (before === '') continue;
    const goesOn = comment.length === 0 && before.endsWith('\\');
    open = { text: (open?.text ?? '') + (goesOn ? `${before.slice(0, -1)} ` : before), number: open?.number ?? i + 1 };
    if (goesOn) continue;
    whole.push(open);
    open = undefined;
  }
  return open === undefined ? whole : [...whole, open];
}

/** One line as it would stand in a file. */
export function moduleLine(text: string, type: PamType): PamLine[] {
  return lineOf(text, type, { where: '', depth: 0 });
}

function lineOf(text: string, type: PamType, { where, depth }: { where: string; depth: number }): PamLine[] {
  const [first = '', ...rest] = wordsOf(text);
  const below = (service: string): PamLine[] => {
    const file = pamFile(service);
    if (file === undefined) throw new Error(`${where}: there is no ${service}`);
    return linesOf(file, type, depth + 1);
  };
  if (first.toLowerCase() === '@include') return below(rest[0] ?? '');
  if (first.replace(/^-/, '').toLowerCase() !== type) return [];
  const [control = '', module = '', ...words] = rest;
  if (control.toLowerCase() === 'include') return below(module);
  if (control.toLowerCase() === 'substack') return [{ kind: 'substack', lines: below(module) }];
  return [
    {
      kind: 'module',
      control: control.toLowerCase(),
      ...{ module: path.basename(module), path: module, isOptional: first.startsWith('-') },
      words,
      where,
    },
  ];
}

/** Blanks between words; `[brackets]` hold several together. */
function wordsOf(text: string): string[] {
  const words = text.matchAll(/\[((?:\\\]|[^\]])*)\]|[^\s[]\S*/g);
  return [...words].map(([word, bracketed]) => bracketed?.replaceAll('\\]', ']') ?? word);
}
