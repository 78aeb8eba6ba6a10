/** One enrolled user with the service's state, put back after each try; and judging in this process, where nothing is at fault. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { verifyLog } from '../../src/audit/verify.ts';
import { parseProof } from '../../src/otp/proof.ts';
import { auditKey } from '../../src/seal/keys.ts';
import { readConfig, type Config } from '../../src/system/config.ts';
import { asUser } from '../../src/system/privileges.ts';
import { userByName, type User } from '../../src/system/users.ts';
import { openVerifier } from '../../src/login/open.ts';
import { withPresentState } from '../../src/state/state.ts';
import { statePlace } from '../../src/state/place.ts';
import { pamWorld, type PamWorld, type Recorded } from '../doors/pam-world.ts';
import { ROOT } from '../support/process.ts';
import { addUser, must, type Enrolled, type TestUser } from '../support/world.ts';
import type { Traced } from './calls.ts';
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';

export interface FaultWorld {
  readonly pam: PamWorld;
  readonly user: TestUser;
  readonly enrolled: Enrolled;
  readonly config: Config;
  /** The folders whose content is put back. */
  readonly folders: readonly string[];
  /** The built program with these words, as root. */
  traced(words: readonly string[], options?: Traced['options']): Traced;
  /** Puts everything back as it was after the enrolment. */
  restore(): void;
  /** What a proof comes to now: the method or the reason. */
  judge(proof: string): Promise<string>;
  /** The whole records in all files of the log. */
  records(): readonly Recorded[];
  /** What is wrong with the log; undefined where it is whole. */
  logProblem(): Promise<string | undefined>;
  /** The files that no finished work leaves behind. */
  drafts(): readonly string[];
}

/** `settings`: as pamWorld takes them. */
export async function faultWorld(name: string, settings?: Parameters<typeof pamWorld>[1]): Promise<FaultWorld> {
  const pam = await pamWorld(name, settings);
  const user = addUser();
  const enrolled = await pam.enroll(user);
  const known = userByName(user.name) as User;
  const config = readConfig(pam.config);
  const kept = path.join(pam.folder, 'kept');
  const folders = [...['etc', 'var', 'log'].map((each) => path.join(pam.folder, each)), path.dirname(enrolled.file)];
  fs.mkdirSync(kept);
  for (const folder of folders) must(['cp', '-a', folder, kept]);
  const origin = { user: user.name, uid: user.uid, context: 'ssh', door: 'pam', service: 'sudo' } as const;
  const place = statePlace(config, known);
  return {
    ...{ pam, user, enrolled, config, folders },
    traced: (words, options = {}) => ({
      command: [process.execPath, path.join(ROOT, 'dist/notp.cjs'), ...words, '--config', pam.config],
      options: { clearEnvironment: true, environment: { PATH: '/usr/bin:/bin' }, cwd: '/', ...options },
      folders: [...folders, pam.config],
      output: path.join(pam.folder, 'trace'),
    }),
    restore: () => {
      for (const folder of folders) {
        fs.rmSync(folder, { recursive: true, force: true });
        must(['cp', '-a', path.join(kept, path.basename(folder)), folder]);
      }
    },
    judge: async (proof) => {
      const parsed = parseProof(proof);
      if (parsed === undefined) throw new Error('no proof');
      const verifier = await openVerifier({
        config,
        contexts: config.contexts,
        user: known,
        origin,
        circumstances: NOTHING_KNOWN,
        now: Date.now,
      });
      const { verdict } = await verifier.verify({ readings: [{ passphrase: undefined, proof: parsed }] });
      verifier.close();
      return verdict.result === 'accepted' ? verdict.method : verdict.reason;
    },
    records: () => {
      const log = path.join(pam.folder, 'log');
      const lines = fs.readdirSync(log).flatMap((file) => fs.readFileSync(path.join(log, file), 'utf8').split('\n'));
      return lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line) as Recorded);
    },
    logProblem: async () =>
      await asUser(place.owner, () =>
        withPresentState(place, Date.now, async ({ store, hostKey }) => {
          const { head, backlog, former } = await store.exclusively(async (transaction) => ({
            head: await transaction.head(),
            backlog: await transaction.backlog(),
            former: await transaction.formerChainKeys(),
          }));
          const keys = [hostKey === undefined ? undefined : auditKey(hostKey.key), ...former];
          return (await verifyLog(place.auditFile, { known: head, backlog, keys })).problems[0];
        }),
      ),
    drafts: () => folders.flatMap((folder) => fs.readdirSync(folder)).filter((file) => file.endsWith('.tmp')),
  };
}
