/**
 * Why notp must not use a key of a PSKC file: its policy (RFC 6030, section 5) forbids it, notp does not understand or meet the policy, or
 * something changes its codes. Pure.
 */
import { shown } from './entry.ts';
import { all, first, type Element } from './xml.ts';

const ONCE: readonly (readonly string[])[] = [
  ...[['AlgorithmParameters'], ['AlgorithmParameters', 'ResponseFormat'], ['AlgorithmParameters', 'Suite']],
  ...[['Data'], ['Policy']],
];
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;

/** Why notp cannot use the one key of a package; undefined if nothing forbids it. `nowMs`: Unix time in milliseconds. */
export function forbids(keyPackage: Element, nowMs: number): string | undefined {
  const [key, second] = all(keyPackage, 'Key');
  if (second !== undefined) return 'its package has several keys';
  const twice = ONCE.find((path) => all(key, ...path).length > 1);
  if (twice !== undefined) return `it has several elements ${twice.join('/')}`;
  const { CheckDigits = 'false' } = first(key, 'AlgorithmParameters', 'ResponseFormat')?.attributes ?? {};
  if (!['false', '0'].includes(CheckDigits)) return 'each of its codes ends in a check digit';
  const rules = first(key, 'Policy')?.children ?? [];
  const usages = rules.filter(({ name }) => name === 'KeyUsage');
  if (usages.length > 0 && usages.every(({ text }) => text !== 'OTP')) return 'its policy permits no one-time codes';
  const device = all(keyPackage, 'DeviceInfo').flatMap(({ children }) =>
    children.filter(({ name }) => /^(?:Start|Expiry)Date$/.test(name)),
  );
  return [...rules, ...device].map((rule) => forbidsBy(rule, nowMs)).find((why) => why !== undefined);
}

function forbidsBy({ name, text, attributes }: Element, nowMs: number): string | undefined {
  switch (name) {
    case 'KeyUsage':
      return undefined;
    case 'StartDate':
    case 'ExpiryDate': {
      const ms = msOf(text);
      if (ms === undefined) return `its ${name} is malformed`;
      if (name === 'StartDate') return ms > nowMs ? `it may not be used before ${text}` : undefined;
      return ms < nowMs ? `it expired at ${text}` : undefined;
    }
    case 'PINPolicy':
      // A PIN that the token itself asks for changes no code.
      return attributes['PINUsageMode'] === 'Local' ? undefined : 'its codes need a PIN, which notp does not ask for';
    case 'NumberOfTransactions':
      return 'its policy limits how often it may be used, which notp does not count';
    default:
      return `its policy has a rule that notp does not know: ${shown(name)}`;
  }
}

/** Of xs:dateTime, in UTC where it names no zone. */
function msOf(text: string): number | undefined {
  const found = DATE_TIME.exec(text);
  const ms = found === null ? NaN : Date.parse(found[1] === undefined ? `${text}Z` : text);
  return Number.isNaN(ms) ? undefined : ms;
}
