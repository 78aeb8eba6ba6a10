/** Asks systemctl(1) about units. No answer, or half of one, is never taken for one about fewer units. */
import { NotpError } from '../error.ts';
import { outputOf, type OutputLimits } from './output.ts';

/** The output of systemctl for a unit: each property with its lines. */
export type Unit = ReadonlyMap<string, readonly string[]>;

const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT_MS = 30_000;
/** Enough for some 100 000 units. */
const MAX_BYTES = 64 * 1024 * 1024;
const HINT = 'systemctl status shows whether systemd answers';
const WILDCARD = /[*?[]/;

/** What it was the last time, where it hung: it is not waited for again. */
let hung: string | undefined;

/** What systemctl prints. Throws `failed` where it does not end as `isWhole` wants it, by default with the status 0. */
function askSystemctl(words: readonly string[], isWhole?: OutputLimits['isWhole']): string {
  if (hung !== undefined) throw new NotpError('failed', hung, HINT);
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, ...(isWhole === undefined ? {} : { isWhole }) };
  const output = outputOf(SYSTEMCTL, words, limits);
  if ('stdout' in output) return output.stdout;
  if (output.failed.includes('did not end')) hung = output.failed;
  throw new NotpError('failed', output.failed, HINT);
}

/** The properties of each of `units`, in order, or of all that match, with their Id. Throws as askSystemctl() does. */
export function showUnits(units: readonly string[], properties: readonly string[]): Unit[] {
  const words = ['show', `--property=${['Id', ...properties].join()}`, '--', ...units];
  const hasAny = units.some((unit) => WILDCARD.test(unit));
  const isAll = (text: string): boolean => (hasAny ? text === '' || text.endsWith('\n') : blocksOf(text).length === units.length);
  const stdout = askSystemctl(words, (ended) => ended.status === 0 && isAll(ended.stdout));
  return blocksOf(stdout).map((block) => {
    const pairs = block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
    return new Map([...Map.groupBy(pairs, ([name]) => name)].map(([name, lines]) => [name, lines.map(([, value]) => value)]));
  });
}

/** One word of systemctl for each unit. Throws as askSystemctl() does. */
export function statesOf(question: 'is-enabled' | 'is-active', units: readonly string[]): string[] {
  if (units.length === 0) return [];
  const stdout = askSystemctl([question, ...units], (ended) => isMissing(ended, units) || wordsIn(ended.stdout).length === units.length);
  return stdout === '' ? ['not-found'] : wordsIn(stdout);
}

/** Before systemd 254 `is-enabled` prints nothing of a unit that is not there. */
function isMissing({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }, units: readonly string[]): boolean {
  return units.length === 1 && stdout === '' && stderr.includes('No such file or directory');
}

export function first(unit: Unit, property: string): string {
  return unit.get(property)?.[0] ?? '';
}

/** Each has an end: one that is cut off is none. */
function blocksOf(stdout: string): string[] {
  return stdout.endsWith('\n')
    ? stdout
        .split('\n\n')
        .filter((block) => block.trim() !== '')
        .map((block) => block.trimEnd())
    : [];
}

function wordsIn(stdout: string): string[] {
  return stdout.endsWith('\n') ? stdout.slice(0, -1).split('\n') : [];
}
