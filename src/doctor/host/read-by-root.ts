/** The files that sshd, PAM, systemd and the passwd database read as root: anyone who can write one of them decides who gets in. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import { usersByUid } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import { execWords, modulesOf, notpLine, pamFiles, pamStack, TYPES, type PamModule } from '../pam/stack.ts';
import { permissionFix, statsOf, untrustedPart } from './trust.ts';

const ID = 'read-by-root';
const ALWAYS = [
  ...['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/nsswitch.conf', '/etc/shells'],
  ...['/etc/ld.so.preload', '/etc/ld.so.conf', '/etc/ld.so.cache'],
];
/** What pam_env(8) reads unless its line names other files. */
const ENVIRONMENT = ['/etc/environment', '/etc/security/pam_env.conf'];
/** The folders in which libpam looks for a module without a path. */
const MODULE_FOLDERS = '/{usr/,}lib{,64}/{,*/}security';

/** `others`: files and folders that sshd and systemd read. `services`: PAM services, whose files, modules and programs are checked. */
export function examineReadByRoot(others: readonly string[], services: readonly string[]): Finding[] {
  const files = [...others, ...ALWAYS, ...services.flatMap(readByPam)].filter((file) => fs.existsSync(file));
  // A folder that others can write is reported once, not for each file in it.
  const wrong = new Map<string, { readonly file: string; readonly part: string }>();
  for (const file of new Set(files)) {
    // One that is missing was there a moment ago.
    const { part, why, isMissing = false } = untrustedPart(file) ?? {};
    if (part !== undefined && !isMissing && !wrong.has(`${part} ${why ?? ''}`)) wrong.set(`${part} ${why ?? ''}`, { file, part });
  }
  if (wrong.size === 0) return [ok(ID, 'Only root can change the files that sshd, PAM and systemd read')];
  return [...wrong].map(([other, { file, part }]) => ({
    id: ID,
    severity: 'fail',
    title: 'A file that sshd, PAM or systemd reads as root can be changed by users other than root',
    detail: `${file}: ${other}`,
    fix: fixFor(file, part),
  }));
}

/** What is in somebody's home stays theirs: what root reads must lie elsewhere. */
function fixFor(file: string, part: string): string {
  const { uid } = statsOf(part) ?? { uid: 0 };
  const home = uid === 0 ? undefined : usersByUid([uid]).get(uid)?.home;
  if (home !== undefined && `${part}/`.startsWith(`${home}/`)) return shellCommand`move ${file} to a folder that only root can write`;
  return permissionFix(part, { name: 'root', uid: 0 }, { mode: 'go-w' });
}

function readByPam(service: string): string[] {
  try {
    const modules = TYPES.flatMap((type) => modulesOf(pamStack(service, type) ?? []));
    return [...pamFiles(service), ...filesOf(modules), ...modules.flatMap(programOf), ...modules.flatMap(dataOf)];
  } catch {
    // Rule P7 says that it cannot be read.
    return pamFiles(service);
  }
}

function filesOf(modules: readonly PamModule[]): string[] {
  const names = [...new Set(modules.map((line) => line.path))];
  const folders = names.every((name) => name.startsWith('/')) ? [] : fs.globSync(MODULE_FOLDERS, { cwd: '/' });
  return names.flatMap((name) => placesOf(name, folders));
}

function placesOf(name: string, folders: readonly string[]): string[] {
  return name.startsWith('/') ? [name] : folders.map((folder) => path.join(folder, name));
}

/** Modules without which no code is asked for, or none lets anybody in, whatever their control says. */
const NEEDED = ['pam_exec.so', 'pam_permit.so'];

/** The missing modules in the stacks of `services` that ask for a code. libpam takes each for one that refuses, unless the line says otherwise. */
export function examineModules(services: readonly string[]): Finding[] {
  const folders = fs.globSync(MODULE_FOLDERS, { cwd: '/' });
  return services.flatMap((service) => {
    const modules = authModules(service);
    if (!modules.some((line) => notpLine(line) === 'code')) return [];
    const needed = modules.filter(({ isOptional, control }) => !isOptional && control !== 'optional');
    const missing = needed.filter((line) => !placesOf(line.path, folders).some((file) => fs.existsSync(file)));
    return missing.map(({ module, control, where }): Finding => ({
      id: 'pam-module',
      severity: ['required', 'requisite'].includes(control) || NEEDED.includes(module) ? 'fail' : 'warn',
      title: 'A module of a PAM stack that asks for a code is missing',
      detail: `PAM service ${service}, ${where}: ${module} is in none of ${folders.join(', ')}`,
      fix: 'install the package that has it, or remove the line',
    }));
  });
}

function authModules(service: string): PamModule[] {
  try {
    return modulesOf(pamStack(service, 'auth') ?? []);
  } catch {
    // Rule P7 says that it cannot be read.
    return [];
  }
}

/** The files that the words of a line name, such as `file=/etc/users`. Logs and mailboxes are written, and may be a group's. */
function dataOf({ module, words }: PamModule): string[] {
  const named = words.flatMap((word) => /^\w*(?:file|conf\w*)=(\/.+)$/.exec(word)?.[1] ?? []);
  return [...named, ...(module === 'pam_env.so' ? ENVIRONMENT : [])];
}

/** The program that pam_exec(8) runs; for notp itself see rule P8. */
function programOf(line: PamModule): string[] {
  const [program = ''] = execWords(line) ?? [];
  return program.startsWith('/') && notpLine(line) === undefined ? [program] : [];
}
