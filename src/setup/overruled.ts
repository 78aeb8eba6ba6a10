/** Finds other lines that override those of a setup, as sshd uses the first value of a keyword. See sshd_config(5). */
import type { Finding } from '../doctor/finding.ts';
import { readSshdFiles, wordsOf } from '../doctor/sshd/files.ts';
import { textIfThere } from '../system/if-there.ts';
import { dropInPath, SSHD_CONFIG } from './sshd-drop-in.ts';

/** Rules of doctor that only warn, but that the gate's drop-in should satisfy, with the keyword of each. */
const SATISFIED: Readonly<Record<string, string>> = { FC9: 'SetEnv', FC10: 'PermitUserRC' };

/** `found`: doctor's findings with the drop-in in place. Returns those that another line still causes; the fix names that line. */
export function overruled(found: readonly Finding[]): Finding[] {
  return Object.entries(SATISFIED).flatMap(([id, keyword]) => {
    const finding = found.find((each) => each.id === id && each.severity !== 'ok');
    const lines = finding === undefined ? [] : otherLines(keyword);
    if (finding === undefined || lines.length === 0) return [];
    const fix = `sshd uses only the first ${keyword}: remove it from ${lines.join(', ')}, or replace it there by: ${finding.fix}`;
    return [{ ...finding, fix }];
  });
}

/** The lines with the keyword outside the drop-in, as FILE:LINE. */
function otherLines(keyword: string): string[] {
  const files = readSshdFiles(SSHD_CONFIG).files.filter((file) => file !== dropInPath('gate'));
  return files.flatMap((file) =>
    (textIfThere(file, 'latin1') ?? '')
      .split('\n')
      .flatMap((line, i) => (wordsOf(line)[0]?.toLowerCase() === keyword.toLowerCase() ? [`${file}:${String(i + 1)}`] : [])),
  );
}
