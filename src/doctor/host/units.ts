/** The unit files and drop-ins of sshd and of notp, and the files of variables that they name. See systemd.unit(5). */
import { spawnSync } from 'node:child_process';
import { isBooted } from '../../system/systemd.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 30_000;
const UNITS = [
  ...['ssh.service', 'sshd.service', 'ssh.socket', 'sshd.socket', 'ssh@notp-doctor.service', 'sshd@notp-doctor.service'],
  ...['notp@judge.service', 'notp-judge.socket', 'notp@0.socket', 'notp-host-key.service', 'notp.slice'],
];

/** The files from which systemd has these units, absolute; none where systemd is not the init. */
export function unitFiles(): string[] {
  if (!isBooted()) return [];
  const words = ['show', '--property=FragmentPath,DropInPaths,EnvironmentFiles', '--value', '--', ...UNITS];
  const { stdout } = spawnSync(SYSTEMCTL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  return [...new Set(stdout.split(/\s+/).filter((word) => word.startsWith('/')))];
}
