/**
 * What SELinux or AppArmor has denied notp, by the audit log of the kernel: that of auditd(8), or where none runs, as by default on Debian, the
 * messages of the kernel. Sshd's PAM runs in a domain of its own, and doctor in none, so that what
 * doctor can do and read says nothing about it.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { isBooted } from '../../system/systemd.ts';
import type { Finding } from '../finding.ts';

/** Of auditd(8); root's alone. */
const LOG = '/var/log/audit/audit.log';
/** Print the messages of the kernel without the time before them. */
const JOURNAL = ['/usr/bin/journalctl', '--quiet', '--no-pager', '--output=cat', '--since=-24h', '--grep=comm="notp"', '_TRANSPORT=kernel'];
const RING_BUFFER = ['/usr/bin/dmesg', '--notime'];
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 4 * 1024 * 1024;
const DAY_MS = 86_400_000;
/** Of auditd(8) or of the kernel, which writes the number of the same type. `permissive=1`: it was only told. */
const DENIED = /^(?:type=AVC msg=|audit: type=1400 )audit\((\d+)\.\d+:\d+\): +(.*(?:\bdenied\b|"DENIED").*\bcomm="notp".*)$/;

/** Denials of the last day. Nobody but root may call it; never throws. */
export function examineDenials(nowMs: number, log = LOG, kernelLines: () => readonly string[] = messagesOfKernel): Finding[] {
  const inLog = denialsIn(endOf(log), nowMs);
  const denied = inLog.length > 0 ? inLog : denialsIn(kernelLines(), nowMs);
  const last = denied.at(-1);
  if (last === undefined) return [];
  const [where, how] =
    inLog.length > 0
      ? [log, 'ausearch --message avc --comm notp']
      : ['the messages of the kernel', `journalctl --dmesg --grep 'comm="notp"'`];
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

function denialsIn(lines: readonly string[], nowMs: number): { readonly atMs: number; readonly what: string }[] {
  return lines.flatMap((line) => {
    const [, seconds = '', what = ''] = DENIED.exec(line) ?? [];
    const atMs = Number(seconds) * 1000;
    return what === '' || what.includes('permissive=1') || atMs < nowMs - DAY_MS ? [] : [{ atMs, what }];
  });
}

/** Those about notp at least; none where the program that prints them is missing. */
function messagesOfKernel(): string[] {
  const [program = '', ...words] = isBooted() ? JOURNAL : RING_BUFFER;
  const options = { encoding: 'latin1', timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES, env: {} } as const;
  const { error, stdout } = spawnSync(program, words, options);
  return error === undefined ? stdout.split('\n') : [];
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
