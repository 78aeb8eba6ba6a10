/** What sshd, PAM and the passwd database read as root: who can write any of it decides who gets in. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ok, type Finding } from '../finding.ts';
import { execWords, modulesOf, notpLine, pamFiles, pamStack, TYPES, type PamModule } from '../pam/stack.ts';
import { whyUntrusted } from './trust.ts';

const ID = 'read-by-root';
const ACCOUNTS = ['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/nsswitch.conf'];
/** Where libpam looks for a module that has no path. */
const MODULE_FOLDERS = '/{usr/,}lib{,64}/{,*/}security';

/** `sshd`: files and folders of its configuration. `services`: of PAM, whose files, modules and programs are looked at. */
export function examineReadByRoot(sshd: readonly string[], services: readonly string[]): Finding[] {
  const files = [...sshd, ...ACCOUNTS, ...services.flatMap(readByPam)].filter((file) => fs.existsSync(file));
  // One folder that others can write is told once, and not for each file in it.
  const wrong = new Map<string, string>();
  for (const file of new Set(files)) {
    const other = whyUntrusted(file);
    if (other !== undefined && !wrong.has(other)) wrong.set(other, file);
  }
  if (wrong.size === 0) return [ok(ID, 'What sshd and PAM read belongs to root alone')];
  return [...wrong].map(([other, file]) => ({
    id: ID,
    severity: 'fail',
    title: 'What sshd or PAM reads as root can be changed by somebody else than root',
    detail: `${file}: ${other}`,
    fix: 'chown root what is named, and chmod go-w it',
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

/** What pam_exec(8) runs; of notp rule P8 tells. */
function programOf(line: PamModule): string[] {
  const [program = ''] = execWords(line) ?? [];
  return program.startsWith('/') && notpLine(line) === undefined ? [program] : [];
}
