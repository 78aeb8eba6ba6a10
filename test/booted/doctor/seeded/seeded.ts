/** Each misconfiguration of the table in docs/doctor.md, seeded on a booted host: doctor names it, its fix is applied, and the host is as before. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SetupDoor } from '../../../../src/setup/plan.ts';
import { CONTAINER_NEEDS } from '../../../support/container.ts';
import { ROOT } from '../../../support/process.ts';
import { lacks, must } from '../../../support/world.ts';
import { LONG } from '../../../trials/trial.ts';
import { assertDone, bootHost, type Host } from '../../setup/world.ts';
import { GOOD } from './good.ts';
import { seededTogether, type Seed } from './seed.ts';
import { keyOf, prepareForSeeds, seedingOn, type Seeding } from './seeding.ts';

const NEEDS = {
  root: true,
  programs: [
    ...CONTAINER_NEEDS.programs,
    ...'oathtool rsync sudo fish zsh tcsh dropbear git-shell faketime sftp pamtester gcc apt-get dpkg-deb'.split(' '),
  ],
};

const DEB = path.join(ROOT, 'test/support/deb.sh');

/** A row takes seconds, so a run tries every other one (or what is seeded with it), and the others on the next day; the long run (NOTP_TRIALS=long) tries all. */
const DAY = Math.floor(Date.now() / 86_400_000);

function isTurn(_: unknown, i: number): boolean {
  return LONG || i % 2 === DAY % 2;
}

/** One host, and on it one door after the other, with which all of its seeds are seeded in turn, and its good configurations tried. */
export function seededOn(doors: Readonly<Partial<Record<SetupDoor, readonly Seed[]>>>): void {
  describe('a host', { skip: lacks(NEEDS) }, () => {
    let host: Host;
    before(async () => {
      host = await bootHost(`seeded-${Object.keys(doors).join('-')}`);
      await host.container.must(['rm', '/etc/sudoers.d/alice']);
      await prepareForSeeds(host.container);
      fs.cpSync(must(['sh', DEB, 'vsftpd']).trim(), path.join(host.container.root, 'opt/vsftpd'), { recursive: true });
    });
    after(async () => {
      await host.container.stop();
    });

    for (const [door, seeds] of Object.entries(doors) as [SetupDoor, readonly Seed[]][])
      describe(`with notp setup ${door}`, () => {
        let seeding: Seeding;
        before(async () => {
          seeding = await seedingOn(host.container, door);
        });
        after(async () => {
          assertDone(await host.setup('undo'));
        });

        it('is in order before anything is seeded', async () => {
          const found = await seeding.doctor();
          assert.deepEqual(found.filter(({ severity, id }) => severity !== 'info' && id !== 'no-gate').map(keyOf), []);
        });

        for (const some of seededTogether(seeds).filter(isTurn))
          it(`is found and mended: ${some.map(({ what }) => what).join('; ')}`, async () => {
            await seeding.mends(some);
          });

        for (const good of GOOD.filter((each) => each.door === door).filter(isTurn))
          it(`draws no warning with ${good.what}`, async () => {
            await seeding.passes(good);
          });
      });
  });
}
