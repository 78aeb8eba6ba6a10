/** The files that sshd, PAM and the passwd database read as root: anyone who can write one of them decides who gets in. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ok, type Finding } from '../finding.ts';
import { execWords, modulesOf, notpLine, pamFiles, pamStack, TYPES, type PamModule } from '../pam/stack.ts';
import { whyUntrusted } from './trust.ts';

const ID = 'read-by-root';
const ACCOUNTS = ['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/nsswitch.conf'];
/** The folders in which libpam looks for a module without a path. */
const MODULE_FOLDERS = '/{usr/,}lib{,64}/{,*/}security';

/** `sshd`: files and folders of its configuration. `services`: PAM services, whose files, modules and programs are checked. */
export function examineReadByRoot(sshd: readonly string[], services: readonly string[]): Finding[] {
  const files = [...sshd, ...ACCOUNTS, ...services.flatMap(readByPam)].filter((file) => fs.existsSync(file));
  // A folder that others can write is reported once, not for each file in it.
  const wrong = new Map<string, string>();
  for (const file of new Set(files)) {
    const other = whyUntrusted(file);
    if (other !== undefined && !wrong.has(other)) wrong.set(other, file);
  }
  if (wrong.size === 0) return [ok(ID, 'Only root can change the files that sshd and PAM read')];
  return [...wrong].map(([other, file]) => ({
    id: ID,
    severity: 'fail',
    title: 'A file that sshd or PAM reads as root can be changed by users other than root',
    detail: `${file}: ${other}`,
    fix: 'chown root and chmod go-w the named file or folder',
  }));
}

function readByPam(service: string): string[] {
  try {
    const modules = TYPES.flatMap((type) => modulesOf(pamStack(service, type) ?? []));
    return [...pamFiles(service), ...filesOf(modules), ...modules.flatMap(programOf)];
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

/** The program that pam_exec(8) runs; for notp itself see rule P8. */
function programOf(line: PamModule): string[] {
  const [program = ''] = execWords(line) ?? [];
  return program.startsWith('/') && notpLine(line) === undefined ? [program] : [];
}
