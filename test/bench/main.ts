/**
 * `npm run bench`: what a login costs with notp and with others, side by side in one run.
 * usage: main.ts [--rounds 15] [--only logins,checker,pam,service,storm,enrolments,log] [--write]
 * `--write` puts the results into BENCHMARKS.md. Needs root, makes a throw-away user, and takes about five minutes.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../support/process.ts';
import { lacks } from '../support/world.ts';
import { alone, byService, underPam } from './checker.ts';
import { logins } from './logins.ts';
import { enrolments, log } from './many.ts';
import { printChapter, type Chapter } from './measure.ts';
import { benchPlace, type Place } from './place.ts';
import { storm } from './storm.ts';

const CHAPTERS: Readonly<Record<string, (place: Place, rounds: number) => Promise<Chapter>>> = {
  logins,
  checker: alone,
  pam: underPam,
  service: byService,
  storm,
  enrolments,
  log: async (_, rounds) => await log(rounds),
};
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: Object.keys(CHAPTERS).join(',') },
    write: { type: 'boolean', default: false },
  },
});
const missing = lacks({
  root: true,
  programs: ['useradd', 'pamtester', 'google-authenticator', 'systemd-socket-activate', 'sshd', 'ssh', 'setpriv'],
});
if (missing !== false) throw new Error(`npm run bench ${missing}`);
const place = await benchPlace();
const told = [heading()];
process.stdout.write(`${heading()}\n`);
for (const name of values.only.split(',')) {
  const chapter = CHAPTERS[name];
  if (chapter === undefined) throw new Error(`there is no ${name}: ${Object.keys(CHAPTERS).join(', ')}`);
  const text = printChapter(await chapter(place, Number(values.rounds)));
  told.push(text);
  process.stdout.write(`\n${text}\n`);
}
if (values.write) fs.writeFileSync(path.join(ROOT, 'BENCHMARKS.md'), `${told.join('\n\n')}\n`);

function heading(): string {
  const cpus = `${String(os.cpus().length)} cores (${os.cpus()[0]?.model ?? 'unknown'})`;
  const ssh = fs.existsSync('/etc/debian_version') ? `Debian ${fs.readFileSync('/etc/debian_version', 'utf8').trim()}` : os.type();
  return `# Benchmarks\n\nWritten by \`npm run bench -- --write\` on ${cpus}, ${ssh}, Node.js ${process.versions.node}. Times depend on the machine and on what else it does; the ratios are of one run, in which the cases took turns. Each table says against what.`;
}
