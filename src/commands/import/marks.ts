/**
 * The marks of an imported secret and of its emergency codes. They begin the id of its sealed file, so that the store recognises the
 * secret without knowing it; see seal/id.ts and store/imported.ts. Pure.
 */
import { ALGORITHMS, DIGITS } from '../../otp/code.ts';
import { kindOf, movingFactorOf, type Credential } from '../../otp/uri.ts';
import { codesOf, idOfMarks, marksBeside, secretOf } from '../../seal/id.ts';
import { keyedMark } from '../../seal/keys.ts';
import { keysOf, type HostKey } from '../../state/host-keys.ts';
import type { Imported } from '../../store/store.ts';

export interface Marks extends Pick<Imported, 'key' | 'mark' | 'codes'> {
  /** The id of a sealed file, which ends like `random`, 32 hex digits. */
  readonly idFor: (random: string) => string;
}

/**
 * The marks by each host key that is here, the present one first. A user's own state has no host key: the secret itself is the key.
 * A mark is of the secret, and of the secret and how its codes are numbered, whatever digits and algorithm they have: a code of 8 digits
 * ends with that of 6. Earlier releases had no part of the secret alone, and also put digits and algorithm into the mark; those marks
 * still count.
 */
export function marksOf(
  { credential, emergency }: { readonly credential: Credential; readonly emergency: readonly string[] },
  hostKey: HostKey | undefined,
): Marks[] {
  const { secret } = credential;
  const keys = hostKey === undefined ? [{ id: '', key: secret }] : keysOf(hostKey);
  const kinds = ALGORITHMS.flatMap((algorithm) => DIGITS.map((digits) => kindOf({ ...credential, algorithm, digits })));
  const ofKey = (what: string, { id, key }: (typeof keys)[number], hasAlone = false): Marks => {
    const marks = {
      alone: hasAlone ? keyedMark(key, Buffer.concat([Buffer.from('secret alone '), secret])) : undefined,
      secret: keyedMark(key, Buffer.concat([Buffer.from(`secret ${what} `), secret])),
      codes: keyedMark(key, Buffer.concat([Buffer.from(`codes ${emergency.join(' ')} `), secret])),
    };
    const idFor = (random: string): string => idOfMarks(marks, random);
    const sample = idFor('0'.repeat(32));
    return { key: id, mark: secretOf(sample), codes: codesOf(sample), idFor };
  };
  const moving = movingFactorOf(credential);
  const present = keys.map((each) => ofKey(moving, each, true));
  return [...present, ...keys.map((each) => ofKey(moving, each)), ...keys.flatMap((each) => kinds.map((kind) => ofKey(kind, each)))];
}

/** As Imported.mark. */
export function marksIn(marks: readonly Marks[]): string[] {
  return marks.map(({ mark }) => mark);
}

/** Whether `row` is of the secret, perhaps with codes that are numbered in another way. An earlier release tells that by the emergency codes alone. */
export function isOfSecret(marks: readonly Marks[], row: Pick<Imported, 'mark' | 'codes'>): boolean {
  return marks.some(({ mark, codes }) => marksBeside(mark)[0] === marksBeside(row.mark)[0] || codes === row.codes);
}

/** Whether the sealed file `id` holds the secret. */
export function hasMark(marks: readonly Marks[], id: string): boolean {
  return marks.some(({ mark }) => secretOf(id) === mark);
}
