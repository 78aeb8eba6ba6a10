/** The people of a soak: each holds a phone, and comes to one of the doors with something right or wrong. */
import { sshIn } from '../../support/container-ssh.ts';
import type { Ran } from '../../support/process.ts';
import { oathCode, stepNow, type Enrolled, type TestUser } from '../../support/world.ts';
import type { ServiceWorld } from '../service/world.ts';

const PERIOD_MS = 30_000;
/** A code of the step before is right for so long at least, or is not given out. */
const SPARE_MS = 12_000;
/** The PAM service that asks for a code. */
export const PAM_SERVICE = 'notp-test';

export interface Person {
  readonly user: TestUser;
  readonly enrolled: Enrolled;
  readonly recovery: string[];
  /** The step of the last code that was typed anywhere. */
  lastStep: number;
  /** The last code or recovery code that let them in: one that was refused for what the host was doing may still be good. */
  used: string | undefined;
  /** Tally that took from the budget since it was full. */
  refused: number;
}

/** What came of one try. */
export interface Came {
  readonly in: boolean;
  /** Told with a refusal. */
  readonly ref: string | undefined;
  /** What was said. */
  readonly said: string;
}

export type Door = (world: ServiceWorld, user: TestUser, proof: string) => Promise<Came>;

export const DOORS: Readonly<Record<'gate' | 'pam' | 'cli', Door>> = {
  gate: async ({ container }, user, proof) => {
    const environment = { LC_NOTP: proof };
    const ran = await sshIn(container, user, ['id', '-un'], { environment, sshOptions: ['-o', 'SendEnv=LC_NOTP'] });
    return came(ran, ran.stdout === `${user.name}\n`);
  },
  pam: async ({ container }, user, proof) => {
    const ran = await container.run(['pamtester', PAM_SERVICE, user.name, 'authenticate'], { input: `${proof}\n` });
    return came(ran, ran.code === 0);
  },
  cli: async ({ container }, user, proof) => {
    const ran = await container.run(['notp', 'verify', '--code-stdin'], { as: user.name, input: `${proof}\n` });
    return came(ran, ran.code === 0);
  },
};

function came({ stdout, stderr }: Ran, isIn: boolean): Came {
  const said = (stdout + stderr).trim();
  return { in: isIn, ref: /\(ref ([0-9a-f]{8})\)/.exec(said)?.[1], said };
}

export function person(user: TestUser, enrolled: Enrolled): Person {
  return { user, enrolled, recovery: [...enrolled.recovery], lastStep: 0, used: undefined, refused: 0 };
}

/** A right code that was typed nowhere yet; undefined where the next one is still to come. */
export function freshCode(who: Person): string | undefined {
  const current = stepNow();
  const left = PERIOD_MS - (Date.now() % PERIOD_MS);
  const step = Math.max(who.lastStep + 1, left > SPARE_MS ? current - 1 : current);
  if (step > current) return undefined;
  who.lastStep = step;
  return oathCode(who.enrolled.secret, { offsetSeconds: (step - current) * 30 });
}
