/** 200 wrong codes at the same instant. */
import { PERMITTED } from '../doors/pam-world.ts';
import { LINES } from './doors.ts';
import { filesOf } from './files.ts';
import { judgePid, type Host } from './host.ts';
import { short, type Chapter } from './measure.ts';

const TRIES = 200;

interface Storm {
  readonly seconds: number;
  readonly cpu: number;
  readonly megabytes: number;
  readonly refused: number;
}

const MODULES = [
  ['pam_google_authenticator', 'google'],
  ['pam_oath', 'oath'],
  ['pam_exec with true', 'exec'],
  ['notp pam', 'notp'],
] as const;

export async function storm(boot: () => Promise<Host>): Promise<Chapter> {
  const host = await boot();
  await host.container.must(['systemctl', 'start', 'notp@judge.service']);
  const judge = await judgePid(host);
  const storms: (readonly [string, Storm])[] = [];
  for (const [name, asked] of MODULES) {
    filesOf(host.container).write('/etc/pam.d/bench-storm', [LINES[asked], ...PERMITTED, ''].join('\n'));
    const pamtester = ['pamtester', 'bench-storm', host.victim.name, 'authenticate'];
    storms.push([name, await host.client<Storm>(['storm', String(TRIES), asked === 'notp' ? judge : '0', ...pamtester])]);
  }
  // After the first hundred the judge counts refusals, and writes the sum when it leaves at the latest.
  await host.container.must(['systemctl', 'stop', 'notp@judge.service']);
  await host.container.must(['journalctl', '--sync']);
  const journal = await host.container.must(['journalctl', '--output=cat', '--grep=login.refused']);
  const records = journal
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as { user?: string; count?: number }] : []));
  const counted = records.reduce((sum, { user, count = 1 }) => sum + (user === host.victim.name ? count : 0), 0);
  const ours = storms.find(([name]) => name === 'notp pam')?.[1];
  return {
    title: `A storm of ${String(TRIES)} wrong codes at once`,
    text: `Each from a pamtester of its own; all wait for the answer, then all get it. CPU and memory (what the machine had less available at the worst moment) are for each try, with the share of pamtester and of the judge. pam_exec with true lets all of them in. notp answers refusals on a grid of one second and records each, after the first hundred in sums: ${String(counted)} of ${String(TRIES)} tries, by the journal.`,
    columns: ['module', 'refused', 'seconds in all', 'CPU ms a try', 'MB a try'],
    rows: storms.map(([name, { refused, seconds, cpu, megabytes }]) => [
      name,
      `${String(refused)} of ${String(TRIES)}`,
      seconds.toFixed(1),
      short(cpu),
      megabytes.toFixed(1),
    ]),
    targets: [
      { what: 'wrong codes that were not refused, or not recorded', most: 0, measured: TRIES - Math.min(counted, ours?.refused ?? 0) },
      {
        what: `a storm of ${String(TRIES)} wrong codes, CPU a try`,
        most: 60,
        measured: ours?.cpu ?? NaN,
        unit: ' ms',
        why: 'a process of Node.js for each try',
      },
    ],
  };
}
