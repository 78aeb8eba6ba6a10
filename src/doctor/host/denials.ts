/**
 * What SELinux or AppArmor has denied notp, by the audit log of the kernel: that of auditd(8), or where none runs, as by default on Debian, the
 * messages of the kernel. Sshd's PAM runs in a domain of its own, and doctor in none, so that what
 * doctor can do and read says nothing about it.
 */
import * as fs from 'node:fs';
import { outputOf, type Ended } from '../../system/output.ts';
import { isBooted } from '../../system/systemd.ts';
import type { Finding } from '../finding.ts';

/** Of auditd(8); root's alone. */
const LOG = '/var/log/audit/audit.log';
/** Print the messages of the kernel without the time before them. */
const JOURNAL = ['/usr/bin/journalctl', '--quiet', '--no-pager', '--output=cat', '--since=-24h', '--grep=comm="notp"', '_TRANSPORT=kernel'];
const BY_JOURNAL = `journalctl --dmesg --grep 'comm="notp"'`;
const RING_BUFFER = ['/usr/bin/dmesg', '--notime'];
const TIMEOUT_MS = 10_000;
/** Each is there where the policy that it is about is in force. */
const POLICIES = ['/sys/fs/selinux/enforce', '/sys/kernel/security/apparmor/profiles'];
const MAX_BYTES = 4 * 1024 * 1024;
const DAY_MS = 86_400_000;
/** Of auditd(8) or of the kernel, which writes the number of the same type. `permissive=1`: it was only told. */
const DENIED = /^(?:type=AVC msg=|audit: type=1400 )audit\((\d+)\.\d+:\d+\): +(.*(?:\bdenied\b|"DENIED").*\bcomm="notp".*)$/;

/** The lines, or why they could not be read. */
export type Lines = readonly string[] | string;

/** Denials of the last day. Nobody but root may call it; never throws. */
export function examineDenials(nowMs: number, log = LOG, kernelLines: () => Lines = messagesOfKernel, policies = POLICIES): Finding[] {
  const inLog = denialsIn(endOf(log), nowMs);
  const lines = inLog.length > 0 ? [] : kernelLines();
  if (typeof lines === 'string') return policies.some((file) => fs.existsSync(file)) ? [unread(lines)] : [];
  const denied = inLog.length > 0 ? inLog : denialsIn(lines, nowMs);
  const last = denied.at(-1);
  if (last === undefined) return [];
  const [where, how] = inLog.length > 0 ? [log, 'ausearch --message avc --comm notp'] : ['the messages of the kernel', BY_JOURNAL];
  return [
    {
      id: 'denied',
      severity: 'warn',
      title: 'SELinux or AppArmor has denied notp something in the last day, so it may refuse logins',
      detail: `${String(denied.length)} in ${where}, the last at ${new Date(last.atMs).toISOString()}: ${last.what}`,
      fix: `allow it in the policy of this host: ${how}`,
    },
  ];
}

function unread(why: string): Finding {
  const title = 'It is not known whether SELinux or AppArmor has denied notp something';
  return { id: 'denied', severity: 'info', title, detail: why, fix: `look for it: ${BY_JOURNAL}` };
}

function denialsIn(lines: readonly string[], nowMs: number): { readonly atMs: number; readonly what: string }[] {
  return lines.flatMap((line) => {
    const [, seconds = '', what = ''] = DENIED.exec(line) ?? [];
    const atMs = Number(seconds) * 1000;
    return what === '' || what.includes('permissive=1') || atMs < nowMs - DAY_MS ? [] : [{ atMs, what }];
  });
}

/** Those about notp at least. */
function messagesOfKernel(): Lines {
  const [program = '', ...words] = isBooted() ? JOURNAL : RING_BUFFER;
  const output = outputOf(program, words, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, encoding: 'latin1', isWhole: isRead });
  return 'stdout' in output ? output.stdout.split('\n') : output.failed;
}

/** journalctl(1) ends with 1 and says nothing where no message matches. */
function isRead({ status, stderr }: Ended): boolean {
  return status === 0 || (status === 1 && stderr === '');
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
