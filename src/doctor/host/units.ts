/** The unit files and drop-ins of sshd and of notp, and the files of variables that they name: are they what systemd goes by? See systemd.unit(5). */
import { spawnSync } from 'node:child_process';
import { isBooted } from '../../system/systemd.ts';
import type { Finding } from '../finding.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 30_000;
const UNITS = [
  ...['ssh.service', 'sshd.service', 'ssh.socket', 'sshd.socket', 'ssh@notp-doctor.service', 'sshd@notp-doctor.service'],
  ...[
    'notp@judge.service',
    'notp-judge.socket',
    'notp@fleet.service',
    'notp-fleet.socket',
    'notp@0.socket',
    'notp-host-key.service',
    'notp.slice',
  ],
];

/** The files from which systemd has these units, absolute; none where systemd is not the init. */
export function unitFiles(): string[] {
  return [
    ...new Set(
      show('FragmentPath,DropInPaths,EnvironmentFiles')
        .split(/[\s=]+/)
        .filter((word) => word.startsWith('/')),
    ),
  ];
}

/** Units whose files were changed since systemd read them: the change comes with the next boot, or with any other daemon-reload. */
export function examineUnitReload(): Finding[] {
  const blocks = show('Id,NeedDaemonReload').split('\n\n');
  const stale = blocks.flatMap((block) => (block.includes('NeedDaemonReload=yes') ? (/^Id=(.*)$/m.exec(block)?.[1] ?? []) : []));
  if (stale.length === 0) return [];
  const title = 'systemd has not read the files of a unit since they were changed';
  const fix = 'systemctl daemon-reload, and then notp doctor again';
  return [{ id: 'unit-reload', severity: 'warn', title, detail: [...new Set(stale)].join(', '), fix }];
}

/** Properties of the units as `KEY=VALUE`, a block for each unit; empty where systemd is not the init. */
function show(properties: string): string {
  if (!isBooted()) return '';
  const words = ['show', `--property=${properties}`, '--', ...UNITS];
  return spawnSync(SYSTEMCTL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} }).stdout;
}
