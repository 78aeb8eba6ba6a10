/** The table of the members of a fleet: when each was seen, and since when its earlier certificates count for nothing. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ENGINES, type Database } from './engines.ts';

for (const { name, skip, ready } of ENGINES)
  describe(`members in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    before(async () => {
      make = await ready('members');
    });

    it('keep a revocation whenever they are seen', async () => {
      const store = (await make()).open();
      await store.exclusively(async (found) => {
        assert.deepEqual(await found.members(), []);
        await found.noteMember({ host: 'web2', untilMs: 2_000_000_000_000, seenMs: 1_000 });
        await found.revokeMember('web1', 1_800_000_000_000);
        await found.revokeMember('web2', 1_800_000_000_001);
        await found.noteMember({ host: 'web2', untilMs: 2_000_000_000_001, seenMs: 2_000 });
        assert.deepEqual(await found.members(), [
          { host: 'web1', untilMs: 0, seenMs: 0, revokedMs: 1_800_000_000_000 },
          { host: 'web2', untilMs: 2_000_000_000_001, seenMs: 2_000, revokedMs: 1_800_000_000_001 },
        ]);
      });
      store.close();
    });
  });
