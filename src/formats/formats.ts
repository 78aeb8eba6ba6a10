/** The files of other programs that hold secrets, in the order in which they are looked for. Pure. */
import { AEGIS } from './aegis.ts';
import { ANDOTP } from './andotp.ts';
import { OLD_ANDOTP } from './andotp-old.ts';
import { BITWARDEN } from './bitwarden.ts';
import { ENTE } from './ente.ts';
import { inputOf, type Format, type Read } from './format.ts';
import { FREEOTP_PLUS } from './freeotp-plus.ts';
import { PASS } from './pass.ts';
import { STRATUM } from './stratum.ts';
import { TWO_FA } from './two-fa.ts';
import { TWO_FAS } from './two-fas.ts';
import { UNREADABLE } from './unreadable.ts';
import { URIS_ANYWHERE } from './uris.ts';

/** Large enough for a vault with icons in it. */
export const MAX_EXPORT_BYTES = 16 * 1024 * 1024;

const FORMATS: readonly Format[] = [
  ...[AEGIS, TWO_FAS, ENTE, ANDOTP, FREEOTP_PLUS, STRATUM, BITWARDEN],
  ...[...UNREADABLE, TWO_FA, URIS_ANYWHERE, PASS, OLD_ANDOTP],
];

/** What `bytes` hold and the name of their format, or undefined where no format fits. */
export function readExport(bytes: Uint8Array): (Read & { readonly program: string }) | undefined {
  const input = inputOf(bytes);
  for (const { name, read } of FORMATS) {
    const found = read(input);
    if (found !== undefined) return { program: name, ...found };
  }
  return undefined;
}
