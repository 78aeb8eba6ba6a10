/** Lines of what a setup writes that another line overrules: sshd takes the first value of a keyword. See sshd_config(5). */
import * as fs from 'node:fs';
import type { Finding } from '../doctor/finding.ts';
import { readSshdFiles, wordsOf } from '../doctor/sshd/files.ts';
import { dropInPath, SSHD_CONFIG } from './sshd-drop-in.ts';

/** Rules of doctor that only warn, but that the drop-in of the gate is there to satisfy, and the keyword of each. */
const SATISFIED: Readonly<Record<string, string>> = { FC9: 'SetEnv', FC10: 'PermitUserRC' };

/** Of what doctor found with the drop-in in place: the rules that still trip because of a line elsewhere, which the fix names. */
export function overruled(found: readonly Finding[]): Finding[] {
  return Object.entries(SATISFIED).flatMap(([id, keyword]) => {
    const finding = found.find((each) => each.id === id && each.severity !== 'ok');
    const lines = finding === undefined ? [] : otherLines(keyword);
    if (finding === undefined || lines.length === 0) return [];
    const fix = `sshd takes the first ${keyword} alone: take it out of ${lines.join(', ')}, or write there: ${finding.fix}`;
    return [{ ...finding, fix }];
  });
}

/** Files and lines. */
function otherLines(keyword: string): string[] {
  const files = readSshdFiles(SSHD_CONFIG).files.filter((file) => file !== dropInPath('gate'));
  return files.flatMap((file) =>
    fs
      .readFileSync(file, 'latin1')
      .split('\n')
      .flatMap((line, i) => (wordsOf(line)[0]?.toLowerCase() === keyword.toLowerCase() ? [`${file}:${String(i + 1)}`] : [])),
  );
}
