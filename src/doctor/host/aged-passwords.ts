/**
 * Passwords that expire, of users who also need a code. sshd asks for a new password as soon as it has accepted an expired one, and at both
 * doors that is before the code. Somebody who knows the old password does not get in that way, but locks the owner out. See shadow(5).
 */
import { textIfThere } from '../../system/if-there.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import type { Seen } from '../sshd/seen.ts';
import { takesPasswordFirst } from '../sshd/pam-rules.ts';

const ID = 'password-age';
const SHADOW = '/etc/shadow';
const DAY_MS = 86_400_000;
/** From this many days on a password counts as never expiring; useradd(8) writes 99999 for "never". */
const MOST_DAYS = 10_000;

interface Age {
  /** The day of the last change, in days since 1970; 0 means that the password must be changed now. */
  readonly changed: number;
  readonly maxDays: number;
}

/** `perUser`: for each sshd, the configurations of each user. `nowMs`: Unix time in milliseconds. The caller is root. */
export function examinePasswords(people: readonly Person[], perUser: readonly ReadonlyMap<string, Seen>[], nowMs: number): Finding[] {
  const asked = people.filter(
    ({ user, enrolments }) =>
      enrolments.length > 0 && perUser.some((each) => (each.get(user.name) ?? []).some(({ effective }) => takesPasswordFirst(effective))),
  );
  const ages = asked.length === 0 ? new Map<string, Age>() : agesIn(textIfThere(SHADOW) ?? '');
  const found = asked.flatMap(({ user: { name } }) => {
    const age = ages.get(name);
    return age === undefined ? [] : [findingOf(name, age, nowMs)];
  });
  return found.length > 0 ? found : [ok(ID, 'No enrolled user has a password that expires')];
}

function findingOf(user: string, { changed, maxDays }: Age, nowMs: number): Finding {
  const days = Math.floor(nowMs / DAY_MS) - changed;
  const isOver = changed === 0 || days > maxDays;
  const then = 'before sshd asks for the code, by anyone who knows the old one';
  return {
    id: ID,
    severity: isOver ? 'warn' : 'info',
    title: isOver
      ? 'A password has expired and can be changed without a code'
      : 'A password will expire and can then be changed without a code',
    detail: isOver ? `it must be changed at the next login, ${then}` : `it must be changed after ${String(maxDays)} days, ${then}`,
    fix: `${isOver ? 'passwd NAME, or ' : ''}chage --maxdays -1 NAME: with a second factor a password need not expire`,
    user,
  };
}

/** The ages of the passwords that expire, by account. */
function agesIn(shadow: string): ReadonlyMap<string, Age> {
  return new Map(
    shadow.split('\n').flatMap((line) => {
      const [name = '', password = '', changed = '', , max = ''] = line.split(':');
      const maxDays = max === '' || Number(max) < 0 ? Infinity : Number(max);
      const expires = changed === '0' || (changed !== '' && maxDays < MOST_DAYS);
      return /^[!*]/.test(password) || password === '' || !expires ? [] : [[name, { changed: Number(changed), maxDays }] as const];
    }),
  );
}
