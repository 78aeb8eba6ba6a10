/**
 * Says whether a new passphrase is easily guessed. Only what everybody tries first: its length, and a short list of the most common
 * ones. It is a warning and no rule. Pure.
 */

/** Fewer characters can be tried out by whoever has a copy of the file. */
const MIN_CHARACTERS = 10;

/** The most common ones of leaked lists, and of books, without digits and marks at their end. */
const COMMON = new Set(
  (
    'password passwort passphrase passw0rd p@ssword p@ssw0rd letmein welcome qwerty qwertyuiop qwertz qwertzuiop azerty azertyuiop asdfghjkl ' +
    'zxcvbnm 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc iloveyou sunshine princess football baseball basketball superman batman starwars ' +
    'pokemon dragon monkey shadow master trustno1 whatever computer internet administrator changeme changemenow secret default ' +
    'correcthorsebatterystaple thisisapassword mypassword passwordpassword'
  ).split(' '),
);

/** Why `passphrase` is easily guessed, to follow "it is"; undefined if that is not known. */
export function weaknessOf(passphrase: string): string | undefined {
  const characters = Array.from(passphrase.normalize('NFC'));
  if (characters.length < MIN_CHARACTERS) return `shorter than ${String(MIN_CHARACTERS)} characters`;
  if (new Set(characters).size < 4) return 'made of the same few characters';
  if (isRun(passphrase)) return 'a run of characters';
  const letters = passphrase.toLowerCase().replace(/[\s._-]/g, '');
  return COMMON.has(letters) || COMMON.has(letters.replace(/[^a-z]+$/, '')) ? 'one of the most common ones' : undefined;
}

/** 1234567890, abcdefghij, or backwards. */
function isRun(text: string): boolean {
  const steps = Array.from({ length: text.length - 1 }, (_, i) => text.charCodeAt(i + 1) - text.charCodeAt(i));
  const isOne = (by: number): boolean => steps.every((step) => step === by || step === by * -9);
  return isOne(1) || isOne(-1);
}
