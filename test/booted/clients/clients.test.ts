/** Each client of docs/clients.md logs in as its table says, and without a code ends by itself, saying why. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks } from '../../support/world.ts';
import type { At, Call, Client } from './client.ts';
import { CLIENTS } from './table.ts';
import { bootClients, type ClientsWorld } from './world.ts';

const PROGRAMS =
  'scp sftp rsync git mosh sshfs borg restic unison ansible parallel-ssh sshpass plink pscp psftp puttygen dbclient curl rclone';

/** Where it would wait for ever. */
const withinTime = (call: Call): Call => ({ ...call, words: ['timeout', '15', ...call.words] });

/** They mostly wait for each other. */
const AT_ONCE = 4;

describe(
  'each client',
  { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool', ...PROGRAMS.split(' ')] }) },
  () => {
    let world: ClientsWorld;
    before(async () => {
      world = await bootClients();
    });

    interface Attempt {
      readonly code: number;
      readonly output: string;
      /** Whether it has done what it is for. */
      readonly did: boolean;
    }
    const attempt = async ({ leaves = (name) => name }: Client, at: At, call: (at: At) => Call): Promise<Attempt> => {
      const { code, output } = await world.use(call(at));
      assert.ok(code !== null, `it had to be killed:\n${output}`);
      return { code, output, did: world.hasLeft(at.user, leaves(at.name)) };
    };
    const works = async (client: Client, at: At, call: (at: At) => Call): Promise<void> => {
      const { code, output, did } = await attempt(client, at, call);
      assert.deepEqual([code, did], [0, true], output);
    };
    const isRefused = async (client: Client, at: At, call: (at: At) => Call): Promise<string> => {
      const { output, did } = await attempt(client, at, call);
      assert.equal(did, false, output);
      return output;
    };

    for (const door of ['pam', 'gate'] as const)
      describe(`at ${door}`, { concurrency: AT_ONCE }, () => {
        before(async () => {
          await world.open(door);
        });
        for (const client of CLIENTS) {
          const way = client.ways[door];
          if (typeof way === 'object')
            it(`${client.name} works with a code`, async () => {
              await works(client, world.at(door, 'coded'), way.call);
            });
          if (way !== 'no')
            it(`${client.name} works where a rule asks for nothing`, async () => {
              await works(client, world.at(door, 'robot'), client.ruled ?? client.bare);
            });
          it(`${client.name} is refused without a code, and ends by itself`, async () => {
            const output = await isRefused(client, world.at(door, 'bare'), client.bare);
            if (door === 'gate') assert.match(output, client.told[1]);
          });
        }
      });

    describe('at pam_google_authenticator', { concurrency: AT_ONCE }, () => {
      before(async () => {
        await world.open('google');
      });
      for (const client of CLIENTS) {
        const { pam, google } = client.ways;
        it(`${client.name} ${typeof google === 'object' ? 'works with a code' : 'does not work, though it does at the PAM door of notp'}`, async () => {
          const at = world.at('google', 'coded');
          if (typeof google === 'object') await works(client, at, google.call);
          else if (typeof pam === 'object') await isRefused(client, at, (each) => withinTime(pam.call(each)));
        });
      }
    });
  },
);
