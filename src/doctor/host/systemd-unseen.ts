/** That systemd could not be asked is a finding: what was not seen is not in order. */
import { NotpError } from '../../error.ts';
import type { Finding } from '../finding.ts';

/** What `ask` answers; where it throws a NotpError of systemctl(1), `otherwise`, and that `what` was not checked. */
export function heardOf<T>(what: string, ask: () => T, otherwise: T): { readonly answer: T; readonly unseen: readonly Finding[] } {
  try {
    return { answer: ask(), unseen: [] };
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    const unseen: Finding = {
      id: 'systemd-unseen',
      severity: 'warn',
      title: 'systemd could not be asked, so what it does was not checked',
      detail: `${what}: ${error.message}`,
      fix: 'systemctl status shows why; then notp doctor again',
    };
    return { answer: otherwise, unseen: [unseen] };
  }
}

/** The findings of `examine`, or the one that systemd could not be asked. */
export function unlessSilent(what: string, examine: () => readonly Finding[]): Finding[] {
  const { answer, unseen } = heardOf(what, examine, []);
  return [...answer, ...unseen];
}
