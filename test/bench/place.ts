/**
 * Where it is measured: the executable as it is packaged, and one person whose HOTP secret notp, pam_google_authenticator and
 * pam_oath all know, so that each of them accepts a new code as often as it is asked, and writes its state for it.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { codeAt, toBase32 } from '../../src/otp/code.ts';
import { codeLine, pamService, PERMITTED, succeed } from '../doors/pam-world.ts';
import { builtPackage } from '../support/built-package.ts';
import { addUser, must, scratchFolder, serviceUser, writeConfig, type TestUser } from '../support/world.ts';

/** The modules of PAM that are asked. */
export type Asked = 'notp' | 'google-authenticator' | 'oath';

export interface Place {
  readonly folder: string;
  /** The executable. */
  readonly notp: string;
  readonly config: string;
  readonly user: TestUser;
  readonly service: TestUser;
  /** The next code for whoever is asked: a module, or a configuration of notp. Each keeps a counter of its own. */
  code(asked: string): string;
  /** The lines of a PAM stack that asks it. */
  readonly stacks: Readonly<Record<Asked, string>>;
  /** The same configuration with another state, in which the person is enrolled too. */
  another(name: string, fill: (database: string) => Promise<void>): Promise<string>;
}

/** pam_google_authenticator takes 0 for no counter. */
const FIRST = 1;
const PARAMETERS = { algorithm: 'SHA1', digits: 6 } as const;

export async function benchPlace(): Promise<Place> {
  const folder = scratchFolder('bench');
  const service = serviceUser();
  const notp = path.join(folder, 'notp');
  fs.copyFileSync(path.join(builtPackage(), 'notp'), notp, fs.constants.COPYFILE_FICLONE);
  const user = addUser();
  const secret = randomBytes(20);
  const counters = new Map<string, number>();
  const [google, oath] = ['google', 'oath'].map((name) => path.join(folder, name, 'secret')) as [string, string];
  for (const file of [google, oath]) fs.mkdirSync(path.dirname(file), { mode: 0o700 });
  fs.writeFileSync(google, `${toBase32(secret)}\n" HOTP_COUNTER ${String(FIRST)}\n" WINDOW_SIZE 17\n`, { mode: 0o400 });
  fs.writeFileSync(oath, `HOTP ${user.name} - ${secret.toString('hex')} ${String(FIRST)}\n`, { mode: 0o600 });
  const enrolled = async (config: string, fill: (database: string) => Promise<void>): Promise<void> => {
    must([notp, 'host-key', 'init', '--config', config]);
    const database = path.join(path.dirname(config), 'var/state.db');
    await fill(database);
    const file = path.join(path.dirname(config), 'moving-in');
    fs.writeFileSync(file, `${toBase32(secret)}\n" HOTP_COUNTER ${String(FIRST)}\n`, { mode: 0o600 });
    const words = ['import', '--from', 'google-authenticator', '--user', user.name, '--seal', 'host', '--file', file, '--replace'];
    must([notp, ...words, '--config', config]);
  };
  const config = writeConfig(folder, { top: `socket = "${folder}/run/%U.sock"` });
  fs.mkdirSync(path.join(folder, 'run'), { mode: 0o755 });
  fs.chownSync(path.join(folder, 'run'), service.uid, service.gid);
  await enrolled(config, () => Promise.resolve());
  return {
    ...{ folder, notp, config, user, service },
    code: (asked) => {
      const counter = counters.get(asked) ?? FIRST;
      counters.set(asked, counter + 1);
      return codeAt(secret, counter, PARAMETERS);
    },
    stacks: {
      notp: codeLine(`${notp} pam --config ${config}`),
      'google-authenticator': `auth requisite pam_google_authenticator.so secret=${google} user=root no_strict_owner no_increment_hotp`,
      oath: `auth requisite pam_oath.so usersfile=${oath} window=20`,
    },
    another: async (name, fill) => {
      const own = path.join(folder, name);
      fs.mkdirSync(own, { mode: 0o755 });
      // The sealed file is the user's one and only, so each state has a folder of secrets of its own.
      const secrets = path.join(user.home, name);
      const other = writeConfig(own, { top: `secrets = "${secrets}"\nsocket = "${own}/none/%U.sock"` });
      await enrolled(other, fill);
      return other;
    },
  };
}

/** A PAM service whose stack is `line`, and then yes. */
export function stackOf(line: string): string {
  return pamService([line, 'auth required pam_permit.so', ...PERMITTED]);
}

/** `notp pam` as pam_exec calls it. */
export async function asPam({ notp, user }: Place, config: string, proof: string): Promise<void> {
  await succeed([notp, 'pam', '--config', config], { ...PAM_CALL, environment: pamVariables(user), input: proof });
}

const PAM_CALL = { clearEnvironment: true, cwd: '/' } as const;

export function pamVariables({ name }: TestUser): NodeJS.ProcessEnv {
  return { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: name };
}
