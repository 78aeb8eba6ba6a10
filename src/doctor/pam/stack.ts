/** The PAM stack of a service: its lines with `@include`, `include` and `substack` followed. See pam.conf(5). */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ifThere } from '../../system/if-there.ts';

export interface PamModule {
  readonly kind: 'module';
  /** `requisite`, or the content of the brackets: `success=ok default=die`. */
  readonly control: string;
  /** The name of the module, without its folder. */
  readonly module: string;
  /** The module as the file writes it. */
  readonly path: string;
  /** Whether the module may be missing: the line begins with "-auth". */
  readonly isOptional: boolean;
  readonly words: readonly string[];
  /** File and line, for people. */
  readonly where: string;
}

/** Lines that count as one for a jump. `done` and `die` in them end only the substack. */
export interface PamSubstack {
  readonly kind: 'substack';
  readonly lines: readonly PamLine[];
}

export type PamLine = PamModule | PamSubstack;
export const TYPES = ['auth', 'account', 'session', 'password'] as const;
export type PamType = (typeof TYPES)[number];

/** In order of precedence: the administrator's files come before the distribution's. */
const FOLDERS = ['/etc/pam.d', '/usr/lib/pam.d', '/usr/etc/pam.d'];
const MAX_DEPTH = 16;
const MAX_FILE_BYTES = 256 * 1024;

/** The lines of `type`; undefined if the service has no file. Throws if a file cannot be read. */
export function pamStack(service: string, type: PamType): PamLine[] | undefined {
  const read = readPam(service, cappedText);
  return read === undefined ? undefined : linesIn(read.text, type, { file: read.file });
}

/** The text of the service's own file; empty if it has none. Throws if it cannot be read. */
export function pamText(service: string): string {
  return readPam(service, (file) => fs.readFileSync(file, 'utf8'))?.text ?? '';
}

/** The existing files that libpam reads for a service, with all files that they include. */
export function pamFiles(service: string): string[] {
  return [...textsOf(service).keys()];
}

/** The same with their texts; without those that are too large. */
function textsOf(service: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const follow = (name: string): void => {
    const { file, text } = readPam(name, plainText) ?? {};
    if (file === undefined || text === undefined || found.has(file)) return;
    found.set(file, text);
    for (const line of wholeLines(text)) for (const inner of includedBy(line.text)) follow(inner);
  };
  follow(service);
  return found;
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

/** The same without aa-exec(1) before it, which starts the program under a profile of AppArmor and changes nothing else. */
export function programWords(line: PamModule): readonly string[] | undefined {
  const words = execWords(line);
  const [first = '', flag = '', , dashes, ...rest] = words ?? [];
  return first === '/usr/bin/aa-exec' && ['-p', '--profile'].includes(flag) && dashes === '--' ? rest : words;
}

/**
 * What a line of pam_exec(8) does with notp. `code`: it asks for a code; `before`: it asks whether none is needed; `first-pass`: it asks whether this is the first pass; `other`: it
 * starts or names notp in any other form. Undefined: it has nothing to do with notp.
 */
export function notpLine(line: PamModule): 'code' | 'before' | 'first-pass' | 'other' | undefined {
  const found = programWords(line) ?? [];
  if (isFirstPassInShell(found)) return 'first-pass';
  const [program = '', pam, ...flags] = found;
  if (path.basename(program) !== 'notp' || pam !== 'pam') return found.some(startsNotp) ? 'other' : undefined;
  const asks = flags.filter((flag, i) => !flag.startsWith('--config=') && flag !== '--config' && flags[i - 1] !== '--config');
  if (asks.every((flag) => flag === '--prompt-tty')) return 'code';
  if (asks.every((flag) => flag === '--before')) return 'before';
  return asks.every((flag) => flag === '--first-pass') ? 'first-pass' : 'other';
}

/**
 * The branch to the password as setup writes it: true only in the first pass of sshd's stack, before any method has succeeded. The shell tests
 * one variable, so a client without any factor yet starts nothing larger. Whoever has shown a factor will be asked for a code: so the judge,
 * which else starts with the question, starts while the person types. No function of a user's can take the place of a word of it: `case` and
 * `exit` are special, and the names of functions have no slashes in sh(1).
 */
const START_JUDGE = '/usr/bin/systemctl start --no-block notp@judge.service >/dev/null 2>&1 &';
const firstPassScript = (first: string): string => `case "$SSH_AUTH_INFO_0" in "") ;; *) ${first}exit 1 ;; esac`;
export const FIRST_PASS = `/bin/sh -c [${firstPassScript(`${START_JUDGE} `)}]`;
const FIRST_PASS_SCRIPTS = [firstPassScript(`${START_JUDGE} `), firstPassScript(''), 'test -z "$SSH_AUTH_INFO_0"'];

function isFirstPassInShell([shell, flag, script = '', ...more]: readonly string[]): boolean {
  return shell === '/bin/sh' && flag === '-c' && more.length === 0 && FIRST_PASS_SCRIPTS.includes(script);
}

/** Whether a word of a command line contains the name of the program. */
function namesNotp(word: string): boolean {
  return /(?:^|[^\w.-])notp(?:-enroll|\.cjs)?(?![\w./-])/i.test(word);
}

/** Whether a word of a command line starts notp, by its name or through a symlink of another name. */
export function startsNotp(word: string): boolean {
  return namesNotp(word) || isNotp(word);
}

/** Whether the program is notp, also through a symlink of another name. */
function isNotp(program: string): boolean {
  try {
    return program.startsWith('/') && namesNotp(fs.realpathSync(program));
  } catch {
    return false;
  }
}

/** Modules that check a password, a fingerprint, a token or a ticket. */
const FIRST_FACTOR = /^pam_(unix|sss|sss_gss|ldap|krb5|winbind|systemd_home|fprintd|u2f|pkcs11|ssh_agent_auth)\.so$/;

/** Whether the module checks a first factor. */
export function isFirstFactor({ module }: PamModule): boolean {
  return FIRST_FACTOR.test(module);
}

/** Modules that can succeed without any proof of identity: they set things up, test the account or where it comes from, or always succeed. */
const NO_FACTOR =
  /^pam_(permit|deny|env|echo|warn|debug|issue|motd|faildelay|faillock|tally2|nologin|securetty|shells|access|group|localuser|usertype|succeed_if|listfile|time|rootok|wheel|rhosts|cap|keyinit|limits|umask|mkhomedir|mount|ecryptfs|gnome_keyring|kwallet5?|systemd|selinux|sepermit|loginuid|lastlog|namespace|xauth)\.so$/;

/** Whether the module may check a first factor that notp does not know, such as a RADIUS server or a program of pam_exec(8). */
export function mayBeFactor(line: PamModule): boolean {
  if (isFirstFactor(line) || NO_FACTOR.test(line.module)) return false;
  return notpLine(line) === undefined;
}

/** Whether the auth stack of a service has a line for the code. */
export function asksForCode(service: string): boolean {
  try {
    return modulesOf(pamStack(service, 'auth') ?? []).some((line) => notpLine(line) === 'code');
  } catch {
    return false;
  }
}

/** Whether a service may let in somebody whose password pam_unix(8) does not have: by that of a directory, by Kerberos, or by a token. */
export function knowsMoreThanUnix(service: string): boolean {
  try {
    // libpam(7) takes "other" for a service without a file.
    const lines = modulesOf(pamStack(service, 'auth') ?? pamStack('other', 'auth') ?? []);
    return lines.some((line) => (isFirstFactor(line) && line.module !== 'pam_unix.so') || mayBeFactor(line));
  } catch {
    return true;
  }
}

/** The services with a line that starts notp, in any form and phase; also those with unreadable lines whose own file names notp. */
export function servicesWithNotp(): string[] {
  return services().filter(callsNotp);
}

/** Versions that dpkg, ucf, rpm and editors lay beside a file: no program has a service of such a name. */
const ASIDE = /\.(dpkg-(old|dist|new|tmp|bak)|ucf-(old|dist|new)|rpm(save|new|orig)|pam-old)$|~$/;

function services(): string[] {
  const names = FOLDERS.flatMap((folder) => ifThere(() => fs.readdirSync(folder)) ?? []);
  return [...new Set(names)].filter((name) => !ASIDE.test(name) && isPlainFile(pamFile(name))).toSorted();
}

/** The modules of all services, each file that libpam reads once, whatever it includes and whether that can be read. */
export function modulesInFiles(): PamModule[] {
  return [...new Map(services().flatMap((service) => [...textsOf(service)]))].flatMap(([file, whole]) =>
    wholeLines(whole).flatMap(({ text, number }) => {
      if (includedBy(text).length > 0) return [];
      return TYPES.flatMap((type) => modulesOf(lineOf(text, type, { where: `${file}:${String(number)}`, depth: 0 })));
    }),
  );
}

function callsNotp(service: string): boolean {
  try {
    return TYPES.some((type) => modulesOf(pamStack(service, type) ?? []).some((line) => notpLine(line) !== undefined));
  } catch {
    return namesNotp(pamText(service));
  }
}

function placesOf(service: string): string[] {
  return service.startsWith('/') ? [service] : FOLDERS.map((folder) => path.join(folder, service));
}

function pamFile(service: string): string | undefined {
  return placesOf(service).find((file) => fs.existsSync(file));
}

function isPlainFile(file: string | undefined): boolean {
  return file !== undefined && fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Reads the file of a service. If it is deleted meanwhile, that of the next folder counts, as it does for libpam. */
function readPam<T>(service: string, read: (file: string) => T): { readonly file: string; readonly text: T } | undefined {
  for (const file of placesOf(service)) {
    const found = fs.existsSync(file) ? ifThere(() => ({ file, text: read(file) })) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function cappedText(file: string): string {
  if (fs.statSync(file).size > MAX_FILE_BYTES) throw new Error(`${file} is too large for a PAM stack`);
  return fs.readFileSync(file, 'utf8');
}

/** Undefined for anything but a plain file, and for one that is too large. */
function plainText(file: string): string | undefined {
  const stats = fs.statSync(file);
  return stats.isFile() && stats.size <= MAX_FILE_BYTES ? fs.readFileSync(file, 'utf8') : undefined;
}

/** The lines of `type` in `text`, the content of `file`. Throws if a file that it includes cannot be read. */
export function linesIn(text: string, type: PamType, { file, depth = 0 }: { file: string; depth?: number }): PamLine[] {
  return wholeLines(text).flatMap((line) => lineOf(line.text, type, { where: `${file}:${String(line.number)}`, depth }));
}

/**
 * The lines as libpam joins them, each with the number of its first part. "#" begins a comment, even inside a word. A line that ends in "\\"
 * continues in the next line that is neither empty nor a comment.
 */
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

/** Parses one line in the syntax of a PAM file. */
export function moduleLine(text: string, type: PamType): PamLine[] {
  return lineOf(text, type, { where: '', depth: 0 });
}

function lineOf(text: string, type: PamType, { where, depth }: { where: string; depth: number }): PamLine[] {
  const [first = '', ...rest] = wordsOf(text);
  const below = (service: string): PamLine[] => {
    const { file, text: inner } = readPam(service, cappedText) ?? {};
    if (file === undefined || inner === undefined) throw new Error(`${where}: there is no ${service}`);
    if (depth >= MAX_DEPTH) throw new Error(`${file} is included too deeply`);
    return linesIn(inner, type, { file, depth: depth + 1 });
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

/** Words are separated by blanks; `[brackets]` make one word of several. */
function wordsOf(text: string): string[] {
  const words = text.matchAll(/\[((?:\\\]|[^\]])*)\]|[^\s[]\S*/g);
  return [...words].map(([word, bracketed]) => bracketed?.replaceAll('\\]', ']') ?? word);
}
