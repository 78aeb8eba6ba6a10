/** Rules FC12 and FC19: what the user's home makes PAM do before the gate. See pam_env(8), pam_env.conf(5) and pam_systemd(8). */
import * as fs from 'node:fs';
import { ok, type Finding } from '../finding.ts';
import { modulesOf, pamStack, type PamLine, type PamModule } from './stack.ts';

const CONFIGURATION = '/etc/security/pam_env.conf';
const TITLE = 'A file of the user sets variables that run code before the gate';

/** Rule FC12: no line of pam_env may read ~/.pam_environment, and no variable may lead into the user's home. */
export function examineUserEnvironment(service: string): Finding[] {
  const stack = (['auth', 'session'] as const).flatMap((type) => modulesOf(quietStack(service, type)));
  const lines = stack.filter(({ module }) => module === 'pam_env.so');
  const reads = lines.filter(({ words }) => takesUserFile(words));
  const findings = [...(reads.length > 0 ? [userFile(reads)] : []), ...lines.flatMap(homeVariables)];
  return findings.length > 0 ? findings : [ok('FC12', "No PAM module takes variables from the user's home", `PAM service ${service}`)];
}

/** Whether pam_env takes ~/.pam_environment: as atoi(3) reads the number, and the last one counts. */
export function takesUserFile(words: readonly string[]): boolean {
  const [, number = ''] = /^user_readenv=(.*)$/.exec(words.findLast((word) => word.startsWith('user_readenv=')) ?? '') ?? [];
  return Number.parseInt(number, 10) !== 0 && /^\s*[+-]?\d/.test(number);
}

function userFile(reads: readonly PamModule[]): Finding {
  const detail = reads
    .map(({ where, words }) => `${where}: ${words.filter((word) => word.startsWith('user_readenv')).join(' ')}`)
    .join(', ');
  return {
    id: 'FC12',
    severity: 'fail',
    title: `${TITLE} (~/.pam_environment)`,
    detail,
    fix: 'write user_readenv=0 there; notp setup gate does it',
  };
}

/** The variables that the module's file sets to a place in the user's home. PATH leads to no code before the gate. */
function homeVariables({ where, words }: PamModule): Finding[] {
  const file = words.findLast((word) => word.startsWith('conffile='))?.slice('conffile='.length) ?? CONFIGURATION;
  const names = linesOf(file).flatMap((line) => /^\s*(\w+)\s.*@\{HOME\}/.exec(line)?.[1] ?? []);
  const found = names.filter((name) => name !== 'PATH');
  if (found.length === 0) return [];
  const detail = `${file}: ${found.join(', ')} (read by ${where})`;
  return [{ id: 'FC12', severity: 'fail', title: `${TITLE} (@{HOME})`, detail, fix: `take the lines with @{HOME} out of ${file}` }];
}

/** Rule FC19: where a session opens, pam_systemd(8) starts units of the user, and that is before the gate. */
export function examineUserUnits(service: string): Finding[] {
  const starts = modulesOf(quietStack(service, 'session')).filter(({ module }) => module === 'pam_systemd.so');
  if (starts.length === 0) return [];
  const fix = 'use the PAM door (notp setup pam), or have none started: systemctl mask user@.service';
  const title = "Units in the user's ~/.config/systemd run before the gate";
  return [{ id: 'FC19', severity: 'info', title, detail: starts.map(({ where }) => where).join(', '), fix }];
}

/** A line that ends in a backslash goes on in the next one. */
function linesOf(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').replaceAll('\\\n', ' ').split('\n');
  } catch {
    return [];
  }
}

function quietStack(service: string, type: 'auth' | 'session'): PamLine[] {
  try {
    return pamStack(service, type) ?? [];
  } catch {
    return [];
  }
}
