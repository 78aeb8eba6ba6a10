/** The unit files and drop-ins of sshd and of notp, and the files of variables that they name: are they what systemd goes by? See systemd.unit(5). */
import { isBooted } from '../../system/systemd.ts';
import { first, showUnits, type Unit } from '../../system/units.ts';
import type { Finding } from '../finding.ts';

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

/** The files from which systemd has these units, absolute; none where systemd is not the init. Throws `failed` where it cannot be asked. */
export function unitFiles(): string[] {
  const words = show(['FragmentPath', 'DropInPaths', 'EnvironmentFiles']).flatMap((unit) =>
    [...unit.values()].flat().flatMap((line) => line.split(/\s+/)),
  );
  return [...new Set(words.filter((word) => word.startsWith('/')))];
}

/** Units whose files were changed since systemd read them: the change comes with the next boot, or with any other daemon-reload. Throws as above. */
export function examineUnitReload(): Finding[] {
  const stale = show(['NeedDaemonReload']).flatMap((unit) => (first(unit, 'NeedDaemonReload') === 'yes' ? first(unit, 'Id') : []));
  if (stale.length === 0) return [];
  const title = 'systemd has not read the files of a unit since they were changed';
  const fix = 'systemctl daemon-reload, and then notp doctor again';
  return [{ id: 'unit-reload', severity: 'warn', title, detail: [...new Set(stale)].join(', '), fix }];
}

function show(properties: readonly string[]): Unit[] {
  return isBooted() ? showUnits(UNITS, properties) : [];
}
