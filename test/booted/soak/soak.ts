/** A long mixed load on a booted host: people at all doors, and a host that changes under them. What must hold meanwhile is a finding where it does not. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sleep } from '../../support/process.ts';
import type { Enrolled, TestUser } from '../../support/world.ts';
import { report } from '../../trials/trial.ts';
import { bootService, SERVICE_NEEDS, type Logged, type ServiceWorld } from '../service/world.ts';
import { DISTURBANCES, ROTATION, ROTATION_TEXT } from './disturbances.ts';
import { unlike, type Try } from './log.ts';
import { DOORS, freshCode, PAM_SERVICE, person, type Came, type Door, type Person } from './people.ts';

/** What a test file that runs it passes to lacks(). */
export const SOAK_NEEDS = { ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'pamtester', 'logrotate'] } as const;

const PEOPLE = 50;
/** So many of them at a time. */
const SIDE = 2;
const DISTURBED_EVERY_MS = 4_000;
/** Below the budget, so that a right code alone is always enough. */
const MAX_REFUSED = 3;
/** Longer than the service stays warm. */
const IDLE_MS = 25_000;
const MAX_MIB = 200;
const STACK = `auth requisite pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam
auth required pam_permit.so
account required pam_permit.so
`;

export interface Soaked {
  /** Tries of any kind, and how many of them were logins. */
  readonly tries: number;
  readonly logins: number;
  /** Codes that came to two doors at once. */
  readonly twice: number;
  readonly disturbances: number;
  /** The most that one process of the service had, in MiB. */
  readonly mostMiB: number;
  readonly findings: readonly string[];
}

/** Soaks for `seconds`; tells `say` how it stands, and reports what was tried. Stopped when the test file ends. */
export async function soak(seconds: number, say: (text: string) => void): Promise<Soaked> {
  const { world, people } = await populated();
  const run = new Run(world, people);
  const size = (): number => fs.statSync(world.outside('/var/lib/notp/state.db')).size;
  const before = size();
  const endMs = Date.now() + seconds * 1000;
  await Promise.all([...Array.from({ length: SIDE }, () => run.visit(endMs)), run.disturb(endMs, say), run.measure(endMs)]);
  await sleep(IDLE_MS);
  if (size() !== before) run.findings.push(`the state took ${String(before)} bytes and takes ${String(size())}`);
  await run.settle();
  reportOf(run);
  return run;
}

function reportOf({ tries, twice, disturbances, findings }: Soaked): void {
  const failed = findings.length;
  report({ part: 'soak', tried: 'a try of one of 50 people at the gate, at PAM or with `notp verify`', times: tries, failed });
  report({ part: 'soak', tried: 'one code at two doors at once', times: twice, failed });
  const tried = 'a change of the host meanwhile: services stopped or killed, another host key, a rotated log';
  report({ part: 'soak', tried, times: disturbances, failed });
}

async function populated(): Promise<{ world: ServiceWorld; people: Person[] }> {
  const world = await bootService('soak', {
    prepare: (root) => {
      fs.writeFileSync(path.join(root, 'etc/pam.d', PAM_SERVICE), STACK);
      fs.writeFileSync(path.join(root, ROTATION), ROTATION_TEXT);
    },
  });
  const names = Array.from({ length: PEOPLE }, (_, i) => `user${String(i)}`);
  const users: TestUser[] = [];
  for (const name of names) users.push(await world.addUser(name));
  fs.writeFileSync(path.join(world.container.root, 'root/people'), `${names.join('\n')}\n`);
  const json = await world.container.must(['notp-enroll', '--batch', '/root/people', '--json', '--no-confirm'], { timeoutMs: 300_000 });
  const enrolled = json
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Enrolled & { user: string });
  const people = users.flatMap((user) => enrolled.filter((each) => each.user === user.name).map((each) => person(user, each)));
  if (people.length !== PEOPLE) throw new Error(`${String(people.length)} were enrolled`);
  return { world, people };
}

class Run implements Soaked {
  twice = 0;
  disturbances = 0;
  mostMiB = 0;
  readonly findings: string[] = [];
  /** What came of each try, in the order of their ends. */
  private readonly all: Try[] = [];
  /** Counts beginnings and ends of what happens to the host: who saw none had a quiet host. */
  private turmoil = 0;
  private readonly free: Person[];

  private readonly world: ServiceWorld;

  constructor(world: ServiceWorld, people: readonly Person[]) {
    this.world = world;
    this.free = [...people];
  }

  get tries(): number {
    return this.all.length;
  }

  get logins(): number {
    return this.all.filter((each) => each.in).length;
  }

  /** One after the other comes, until the end. */
  async visit(endMs: number): Promise<void> {
    while (Date.now() < endMs) {
      const who = this.free.shift();
      if (who === undefined) throw new Error('there is nobody');
      await this.come(who);
      this.free.push(who);
    }
  }

  private async come(who: Person): Promise<void> {
    if (who.refused >= MAX_REFUSED) {
      await this.world.container.must(['notp', 'unlock', '--user', who.user.name]);
      who.refused = 0;
    }
    const kind = Math.random();
    const code = kind < 0.7 ? freshCode(who) : undefined;
    if (code !== undefined && kind < 0.2) await this.comeTwice(who, code);
    else if (code !== undefined) await this.expect(who, 'in', code);
    else if (kind < 0.8 && who.recovery.length > 0) await this.expect(who, 'in', who.recovery.pop() ?? '');
    else if (kind < 0.9 && who.used !== undefined) await this.expect(who, 'out', who.used);
    else await this.expect(who, 'out', '00000000');
  }

  /** One code at two doors at the same time. */
  private async comeTwice(who: Person, code: string): Promise<void> {
    this.twice++;
    const quiet = this.watch();
    const both = await Promise.all([this.attempt(who, code), this.attempt(who, code)]);
    const entered = both.filter((each) => each.in).length;
    if (entered > 1 || (entered === 0 && quiet()))
      this.findings.push(
        `${who.user.name}: a code at two doors let in ${String(entered)} times: ${both.map(({ said }) => said).join(' | ')}`,
      );
  }

  private async expect(who: Person, what: 'in' | 'out', proof: string): Promise<void> {
    const quiet = this.watch();
    const { in: isIn, said } = await this.attempt(who, proof);
    // Who comes while the host changes may be refused, and has to say so in time; nobody may be let in for that.
    if (what === 'out' ? isIn : !isIn && quiet()) {
      const before = this.all.slice(0, -1).filter((each) => each.user === who.user.name && each.proof === proof);
      const earlier = before.map((each) => `${each.in ? 'in' : 'out'}: ${each.said}`).join(' | ');
      this.findings.push(`${who.user.name} was ${isIn ? 'let in' : 'refused'}: ${said}; the same before: ${earlier || 'never'}`);
    }
  }

  private async attempt(who: Person, proof: string): Promise<Came> {
    const doors: readonly Door[] = Object.values(DOORS);
    const door = doors[Math.floor(Math.random() * doors.length)] ?? DOORS.gate;
    const came = await door(this.world, who.user, proof);
    if (came.in) who.used = proof;
    else who.refused++;
    this.all.push({ ...came, user: who.user.name, proof });
    return came;
  }

  /** Gives whether nothing has happened to the host since. */
  private watch(): () => boolean {
    const before = this.turmoil;
    return () => before === this.turmoil && before % 2 === 0;
  }

  async disturb(endMs: number, say: (text: string) => void): Promise<void> {
    while (Date.now() < endMs) {
      await sleep(DISTURBED_EVERY_MS);
      const disturbance = DISTURBANCES[this.disturbances++ % DISTURBANCES.length];
      this.turmoil++;
      try {
        await disturbance?.(this.world);
      } catch (error) {
        this.findings.push(String(error));
      }
      this.turmoil++;
      const last = this.findings.at(-1);
      say(
        `${String(this.tries)} tries, ${String(this.logins)} logins, ${String(this.findings.length)} findings${last === undefined ? '' : `; the last: ${last}`}`,
      );
    }
  }

  async measure(endMs: number): Promise<void> {
    while (Date.now() < endMs) {
      await sleep(5_000);
      const { stdout } = await this.world.container.run(['ps', '-u', 'notp', '-o', 'rss=']);
      this.mostMiB = Math.max(
        this.mostMiB,
        ...stdout
          .trim()
          .split(/\s+/)
          .map((kib) => Number(kib) / 1024),
      );
    }
  }

  /** Nothing is left of it but what was written, and that is whole. */
  async settle(): Promise<void> {
    const { container } = this.world;
    const verified = await container.run(['notp', 'audit', 'verify']);
    if (verified.code !== 0) this.findings.push(verified.stdout + verified.stderr);
    // The judge stays for minutes, unless it was stopped last of all.
    await container.must(['systemctl', 'stop', 'notp@judge.service']);
    const left = await container.run(['pgrep', '-af', '/usr/bin/notp']);
    if (left.stdout !== '') this.findings.push(`still runs: ${left.stdout}`);
    const strays = await container.must(['find', '/home', '/run/notp', '/etc/notp', '/tmp', '-name', '*.tmp']);
    if (strays !== '') this.findings.push(`left behind: ${strays}`);
    if (this.mostMiB > MAX_MIB) this.findings.push(`the service took ${String(this.mostMiB)} MiB`);
    // Where the service died before it answered, the gate refuses, as the user, who has a log of their own.
    const own = await container.must(['sh', '-c', 'cat /home/*/.notp/.audit.log || true']);
    // notp pam opens no log: where the judge did not answer, its refusal is in the journal.
    const journal = parsed(await container.must(['journalctl', '--quiet', '--output=cat', 'SYSLOG_IDENTIFIER=notp']));
    const unheard = journal.filter(({ door, reason }) => door === 'pam' && reason === 'store_unavailable');
    const records = parsed(await container.must(['notp', 'audit', '--event', 'login']));
    this.findings.push(...unlike(this.all, records, [...parsed(own), ...unheard]));
  }
}

function parsed(log: string): Logged[] {
  // In the journal, what the services say stands among the records.
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Logged);
}
