/** TRIALS.md, from the reports of a run: `npm run trials` after `npm test` writes it, and `NOTP_TRIALS=long npm run trials` what was tried at length. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { markdownTable, withTable } from '../support/markdown.ts';
import { ROOT } from '../support/process.ts';
import { compared, LONG, reported } from './trial.ts';

export const PAGE = path.join(ROOT, 'TRIALS.md');

function trials(): string {
  const rows = reported().map(({ part, tried, times, failed }) => [part, tried, String(times), String(failed)]);
  return markdownTable(['part', 'what was tried', 'times', 'failed'], rows);
}

function peers(): string {
  const rows = compared().map(({ row, attack, notp, google, oath }) => [row, attack, notp, google, oath]);
  const table = markdownTable(['#', 'attack', 'notp', 'pam_google_authenticator', 'pam_oath'], rows);
  const [google = '', oath = ''] = ['libpam-google-authenticator', 'libpam-oath'].map((name) =>
    execFileSync('dpkg-query', ['--show', '--showformat=${Version}', name], { encoding: 'utf8' }),
  );
  return `Measured with pam_google_authenticator ${google} and pam_oath ${oath}, as Debian has them.\n\n${table}`;
}

if (import.meta.main) {
  const page = fs.readFileSync(PAGE, 'utf8');
  const day = new Date().toISOString().slice(0, 10);
  const written = LONG
    ? withTable(page, 'long', `Tried on ${day}.\n\n${trials()}`)
    : withTable(withTable(page, 'trials', trials()), 'peers', peers());
  fs.writeFileSync(PAGE, written);
}
