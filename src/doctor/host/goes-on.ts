/** Whether doctor is run by itself: what changes later is told only then. See systemd/notp-doctor.timer and systemd/notp-doctor.path. */
import { isBooted } from '../../system/systemd.ts';
import { first, showUnits } from '../../system/units.ts';
import { ok, type Finding } from '../finding.ts';

const ID = 'goes-on';
const UNITS = ['notp-doctor.timer', 'notp-doctor.path'];

/** Empty where the units are not installed. Throws `failed` where systemd cannot be asked. */
export function examineGoesOn(): Finding[] {
  if (!isBooted()) return [];
  const units = showUnits(UNITS, ['LoadState', 'ActiveState', 'UnitFileState']);
  if (!units.some((unit) => first(unit, 'LoadState') === 'loaded')) return [];
  const off = units.flatMap((unit) => {
    const states = ['ActiveState', 'UnitFileState'].map((key) => first(unit, key));
    return states.join() === 'active,enabled' ? [] : [`${first(unit, 'Id')} is ${states.filter((state) => state !== '').join(' and ')}`];
  });
  if (off.length === 0) return [ok(ID, 'Doctor runs each day and after changes', UNITS.join(', '))];
  const isMasked = units.some((unit) => first(unit, 'UnitFileState').startsWith('masked'));
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
