/**
 * Passwords that expire, of who has a code too: sshd has an expired one changed as soon as it was shown, which is before a code is asked for at
 * either door. Who knows it does not get in by that, but keeps its owner out. See shadow(5).
 */
import * as fs from 'node:fs';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import type { Effective } from '../sshd/effective.ts';
import { takesPasswordFirst } from '../sshd/pam-rules.ts';

const ID = 'password-age';
const SHADOW = '/etc/shadow';
const DAY_MS = 86_400_000;
/** What useradd(8) writes for never is more. */
const MOST_DAYS = 10_000;

const NOTHING_KNOWN: Effective = new Map();

interface Age {
  /** The day of the last change, in days since 1970; 0: it must be changed now. */
  readonly changed: number;
  readonly maxDays: number;
}

/** `perUser`: of each sshd the configuration of each user. `nowMs`: Unix time in milliseconds. The caller is root. */
export function examinePasswords(people: readonly Person[], perUser: readonly ReadonlyMap<string, Effective>[], nowMs: number): Finding[] {
  const asked = people.filter(
    ({ user, enrolments }) => enrolments.length > 0 && perUser.some((each) => takesPasswordFirst(each.get(user.name) ?? NOTHING_KNOWN)),
  );
  const ages = asked.length === 0 ? new Map<string, Age>() : agesIn(fs.existsSync(SHADOW) ? fs.readFileSync(SHADOW, 'utf8') : '');
  const found = asked.flatMap(({ user: { name } }) => {
    const age = ages.get(name);
    return age === undefined ? [] : [findingOf(name, age, nowMs)];
  });
  return found.length > 0 ? found : [ok(ID, 'No password of who has a code expires')];
}

function findingOf(user: string, { changed, maxDays }: Age, nowMs: number): Finding {
  const days = Math.floor(nowMs / DAY_MS) - changed;
  const isOver = changed === 0 || days > maxDays;
  const then = 'and sshd has it changed before it asks for the code, by whoever knows the old one';
  return {
    id: ID,
    severity: isOver ? 'warn' : 'info',
    title: isOver ? 'A password has expired, which is changed without a code' : 'A password expires, and is changed without a code then',
    detail: isOver ? `it has to be changed at the next login, ${then}` : `after ${String(maxDays)} days it has to be changed, ${then}`,
    fix: `${isOver ? 'passwd NAME, or ' : ''}chage --maxdays -1 NAME: where a code is asked for too a password need not expire`,
    user,
  };
}

/** Of each account with a password that expires. */
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
