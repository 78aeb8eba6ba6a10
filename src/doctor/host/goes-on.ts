/** Whether doctor is run by itself: what changes later is told only then. See systemd/notp-doctor.timer and systemd/notp-doctor.path. */
import { spawnSync } from 'node:child_process';
import { isBooted } from '../../system/systemd.ts';
import { ok, type Finding } from '../finding.ts';

const ID = 'goes-on';
const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 30_000;
const UNITS = ['notp-doctor.timer', 'notp-doctor.path'];

/** Empty where the units are not installed. */
export function examineGoesOn(): Finding[] {
  if (!isBooted()) return [];
  const words = ['show', '--property=Id,LoadState,ActiveState,UnitFileState', '--', ...UNITS];
  const blocks = spawnSync(SYSTEMCTL, words, { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} })
    .stdout.split('\n\n')
    .map((block) => new Map(block.split('\n').map((line) => line.split('=') as [string, string])));
  if (!blocks.some((unit) => unit.get('LoadState') === 'loaded')) return [];
  const off = blocks.flatMap((unit) => {
    const states = ['ActiveState', 'UnitFileState'].map((key) => unit.get(key) ?? '');
    return states.join() === 'active,enabled' ? [] : [`${unit.get('Id') ?? ''} is ${states.filter((state) => state !== '').join(' and ')}`];
  });
  if (off.length === 0) return [ok(ID, 'Doctor runs each day and after changes', UNITS.join(', '))];
  const isMasked = blocks.some((unit) => unit.get('UnitFileState')?.startsWith('masked') === true);
  return [
    {
      id: ID,
      severity: 'info',
      title: 'Doctor does not run by itself, each day and after changes, so nobody is told what changes',
      detail: off.join(', '),
      fix: `${isMasked ? `systemctl unmask ${UNITS.join(' ')}; ` : ''}systemctl enable --now ${UNITS.join(' ')}`,
    },
  ];
}
