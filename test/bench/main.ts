/**
 * `npm run bench`: what a login costs with notp and with others, side by side in one run, in a booted container with the package.
 * usage: main.ts [--rounds 15] [--only logins,processes,storm,…] [--write]
 * `--write` puts the results into BENCHMARKS.md and benchmarks.svg. Needs root, and takes about an hour, most of it for "growth".
 * `--rounds 1` only checks that all of it works, with fewer users.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { it } from 'node:test';
import { parseArgs } from 'node:util';
import { ROOT } from '../support/process.ts';
import { lacks } from '../support/world.ts';
import { alone } from './alone.ts';
import { barChart } from './chart.ts';
import { disk } from './disk.ts';
import { growth } from './growth.ts';
import { BENCH_NEEDS, bootBench, type Host } from './host.ts';
import { logins } from './logins.ts';
import { appending, enrolments, reading } from './many.ts';
import { printChapter, targetTable, type Chapter, type Measure } from './measure.ts';
import { memory } from './memory.ts';
import { storm } from './storm.ts';

const CHAPTERS: Readonly<Record<string, Measure>> = {
  logins,
  processes: alone,
  storm,
  memory,
  disk,
  enrolments,
  growth,
  reading,
  appending,
};
const CHART = 'benchmarks.svg';
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: Object.keys(CHAPTERS).join(',') },
    write: { type: 'boolean', default: false },
  },
});

// A test, so that the container ends with it.
void it('the bench', async () => {
  const missing = lacks(BENCH_NEEDS);
  if (missing !== false) throw new Error(`npm run bench ${missing}`);
  let booted: Promise<Host> | undefined;
  const boot = (): Promise<Host> => (booted ??= bootBench());
  const chapters: Chapter[] = [];
  for (const name of values.only.split(',')) {
    const measure = CHAPTERS[name];
    if (measure === undefined) throw new Error(`there is no ${name}: ${Object.keys(CHAPTERS).join(', ')}`);
    const chapter = await measure(boot, Number(values.rounds));
    chapters.push(chapter);
    process.stdout.write(`${printChapter(chapter)}\n\n`);
  }
  const targets = targetTable(chapters.flatMap((chapter) => chapter.targets ?? []));
  process.stdout.write(`${targets}\n`);
  if (values.write) write(chapters, targets);
});

function write(chapters: readonly Chapter[], targets: string): void {
  const bars = chapters.flatMap((chapter) => chapter.bars ?? []);
  const legend = ['connection to prompt or shell', 'answer to shell'];
  if (bars.length > 0) fs.writeFileSync(path.join(ROOT, CHART), barChart('A whole login, without the time to type', legend, bars));
  const cpus = `${String(os.cpus().length)} cores (${os.cpus()[0]?.model ?? 'unknown'})`;
  const page = [
    '# Benchmarks',
    ...(bars.length > 0 ? [`![How long a login takes](${CHART})`] : []),
    `Written by \`npm run bench -- --write\` on ${cpus}, ${systemName()}, Node.js ${process.versions.node}. All of it is measured in one booted container with the package for Debian. Times depend on the machine and on what else it does. The cases of a table took turns, so compare them with each other.`,
    '## Targets',
    targets,
    SMALLER,
    ...chapters.map(printChapter),
  ];
  fs.writeFileSync(path.join(ROOT, 'BENCHMARKS.md'), `${page.join('\n\n')}\n`);
}

/** What would bring the rows that are missed to their targets, and why it is not there. */
const SMALLER = `## What the other targets would need

- **The processes.** Of the instructions of \`notp pam\`, some 130 million read the heap of Node.js and of the doors back from the snapshot, more than all of \`node --jitless -e 0\` takes. V8 would have to map a snapshot instead of reading it, or Node.js would have to be built with fewer modules of its own. We use the binary that Node.js publishes: whoever checks our package can compare it, and an update of its security needs no build of ours.
- **The gate.** A user's service answers in 20 ms. What is left is one start of Node.js before the prompt.
- **Many users at once at the gate.** Each has a process, which never holds what belongs to another. One process for all would take 30 MB, and a mistake in it would give away everybody's secrets. The process leaves 15 seconds after the last question.
- **The executable.** All but 12 MB of it is Node.js without symbols. A build of it with English alone would be some 25 MB smaller.

## A smaller process that asks

What is left of a login at PAM is one process of Node.js, which takes the code from pam_exec and asks the judge. Forty lines for perl(1) could do the same in 3 ms. We wrote down what that would cost, and did not build it:

- **Where it works.** It could serve only hosts whose store keeps the sealed files. Elsewhere the process that asks reads files in a home as their owner, and the care that this takes (symlinks, owners, modes, FIFOs) is most of its code. \`perl-base\` is on each Debian, and not on each Red Hat.
- **Trust.** A second program, in a second language, would stand before every login. It prints and parses the messages of the socket, escapes what it shows, keeps the deadlines and turns each failure into a refusal. No type checker reads it. What is tested for one (strange environments, closed descriptors, limits, cut answers) has to be tested for both, and for the change from one to the other.
- **Access control.** Rules of AppArmor or SELinux can name one executable of notp. They cannot name "perl with this script".
- **Gain.** Some 40 of the milliseconds in the first table, less than the spread between two networks.

A small program in C would be quicker still, and costs the same. The package has one executable, and it stays so.`;

function systemName(): string {
  return fs.existsSync('/etc/debian_version') ? `Debian ${fs.readFileSync('/etc/debian_version', 'utf8').trim()}` : os.type();
}
