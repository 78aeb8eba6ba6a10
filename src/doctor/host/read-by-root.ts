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
  const folders = names.every((name) => name.startsWith('/')) ? [] : fs.globSync(MODULE_FOLDERS);
  return names.flatMap((name) => (name.startsWith('/') ? [name] : folders.map((folder) => path.join(folder, name))));
}

/** The program that pam_exec(8) runs; for notp itself see rule P8. */
function programOf(line: PamModule): string[] {
  const [program = ''] = execWords(line) ?? [];
  return program.startsWith('/') && notpLine(line) === undefined ? [program] : [];
}
