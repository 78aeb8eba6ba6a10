/** What the judge needs when many users have logged in, and what the services of many users need who are at the gate at once. */
import { firstQuestion } from '../doors/serve-world.ts';
import { pamVariables } from './alone.ts';
import { judgePid, type Host } from './host.ts';
import { short, type Chapter } from './measure.ts';

interface Memory {
  readonly megabytes: number;
}

export async function memory(boot: () => Promise<Host>): Promise<Chapter> {
  const host = await boot();
  await host.container.must(['systemctl', 'stop', 'notp@judge.service']);
  const judge: number[] = [];
  for (const [i, { name }] of host.others.entries()) {
    const options = { environment: pamVariables(name), input: host.firstCode };
    await host.client(['run', '/usr/bin/notp', 'pam'], options);
    if (i === 0 || i === host.others.length - 1) judge.push((await host.client<Memory>(['private', await judgePid(host)])).megabytes);
  }
  const [one = NaN, all = NaN] = judge;
  const sockets = host.others.map(({ uid }) => `/run/notp/${String(uid)}.sock`);
  const services = await host.client<Memory>(['hold', firstQuestion().trim(), ...sockets]);
  await host.container.must(['systemctl', 'stop', 'notp@4*.service']);
  const users = String(host.others.length);
  return {
    title: 'Memory',
    text: 'Private memory: what a process has for itself alone (Private_Dirty in /proc/PID/smaps_rollup).',
    columns: ['what', 'MB'],
    rows: [
      ['the judge after one user', short(one)],
      [`the judge after ${users} users in turn`, short(all)],
      [`the services of ${users} users at once at the gate`, short(services.megabytes)],
      ['each of these', short(services.megabytes / host.others.length)],
    ],
    targets: [
      { what: `one judge after ${users} users in turn, private memory`, most: 40, measured: all, unit: ' MB' },
      {
        what: `${users} users at once at the gate, all services`,
        most: 2000,
        measured: services.megabytes,
        unit: ' MB',
        why: 'each user has a process',
      },
    ],
  };
}
