/** Rule FC12: if a PAM stack reads variables from the user's home, they reach the gate. See pam_env(8). */
import { ok, type Finding } from '../finding.ts';
import { modulesOf, pamStack, type PamLine } from './stack.ts';

/** Rule FC12: the variables in the user's ~/.pam_environment must not reach the gate. */
export function examineUserEnvironment(service: string): Finding[] {
  const modules = (['auth', 'session'] as const).flatMap((type) => modulesOf(quietStack(service, type)));
  const reads = modules.filter(({ module, words }) => module === 'pam_env.so' && words.includes('user_readenv=1'));
  if (reads.length === 0) return [ok('FC12', "No PAM module reads the user's ~/.pam_environment", `PAM service ${service}`)];
  const detail = `${reads.map(({ where }) => where).join(', ')}: pam_env.so has user_readenv=1`;
  const title = 'A file of the user sets variables that run code before the gate (~/.pam_environment)';
  return [{ id: 'FC12', severity: 'fail', title, detail, fix: 'write user_readenv=0 there; notp setup gate does it' }];
}

function quietStack(service: string, type: 'auth' | 'session'): PamLine[] {
  try {
    return pamStack(service, type) ?? [];
  } catch {
    return [];
  }
}
