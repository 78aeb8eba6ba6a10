/**
 * What SELinux or AppArmor has denied notp, by the audit log of the kernel. Sshd's PAM runs in a domain of its own, and doctor in none, so that what
 * doctor can do and read says nothing about it.
 */
import * as fs from 'node:fs';
import type { Finding } from '../finding.ts';

/** Of auditd(8); root's alone. */
const LOG = '/var/log/audit/audit.log';
const MAX_BYTES = 4 * 1024 * 1024;
const DAY_MS = 86_400_000;
/** `permissive=1`: it was only told. */
const DENIED = /^type=AVC msg=audit\((\d+)\.\d+:\d+\): +(.*(?:\bdenied\b|"DENIED").*\bcomm="notp".*)$/;

/** Denials of the last day. Nobody but root may call it; never throws. */
export function examineDenials(nowMs: number, log = LOG): Finding[] {
  const denied = endOf(log).flatMap((line) => {
    const [, seconds = '', what = ''] = DENIED.exec(line) ?? [];
    const atMs = Number(seconds) * 1000;
    return what === '' || what.includes('permissive=1') || atMs < nowMs - DAY_MS ? [] : [{ atMs, what }];
  });
  const last = denied.at(-1);
  if (last === undefined) return [];
  return [
    {
      id: 'denied',
      severity: 'warn',
      title: 'SELinux or AppArmor has denied notp something in the last day, so it may refuse logins',
      detail: `${String(denied.length)} in ${log}, the last at ${new Date(last.atMs).toISOString()}: ${last.what}`,
      fix: 'allow it in the policy of this host: ausearch --message avc --comm notp',
    },
  ];
}

/** The lines at the end of the file; none where it is missing or no plain file. */
function endOf(file: string): string[] {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      const stats = fs.fstatSync(fd);
      if (!stats.isFile()) return [];
      const bytes = Buffer.alloc(Math.min(stats.size, MAX_BYTES));
      const read = fs.readSync(fd, bytes, 0, bytes.length, stats.size - bytes.length);
      return bytes.toString('latin1', 0, read).split('\n');
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return [];
  }
}
