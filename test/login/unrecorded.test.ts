/** A refusal that nothing takes a record of tells no reference, for there is nothing that it would find. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { lineToStranger, refusalLine } from '../../src/doors/refusal.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { openJudge } from '../../src/wire/remote.ts';
import { localVerifier } from '../../src/login/login.ts';
import { scratchFolder } from '../support/world.ts';
import { localWorld, ORIGIN } from './local-world.ts';

describe('a refusal that no log and no journal takes', () => {
  const world = localWorld('unrecorded');

  it('has no reference', async () => {
    const [nowhere, folder] = [scratchFolder('nowhere'), scratchFolder('in-the-way')];
    // A folder where the log should be.
    const auditFile = path.join(folder, 'audit.log');
    mkdirSync(auditFile);
    chmodSync(auditFile, 0o500);
    const place = { ...world.place, store: { kind: 'sqlite', path: path.join(nowhere, 'state.db') }, auditFile } as const;
    const verifier = localVerifier(...world.options({ kind: 'absent' }, { place }));
    const { verdict, ref } = await verifier.verify({ readings: [] });
    assert.deepEqual([verdict.result, ref], ['refused', '']);
    const recorded = localVerifier(
      ...world.options({ kind: 'absent' }, { place: { ...place, auditFile: path.join(folder, 'other.log') } }),
    );
    assert.match((await recorded.verify({ readings: [] })).ref, /^[0-9a-f]{8}$/);
  });

  it('by a door that reaches no judge has one only where the journal has the record', async () => {
    const judge = await openJudge({ ...defaultConfig(), judge: '/nonexistent/judge.sock' }, ORIGIN, Date.now);
    assert.match((await judge.refuse('no_proof', 'nobody listens')).ref, /^([0-9a-f]{8})?$/);
  });

  it('is told so', () => {
    const refused = { result: 'refused', reason: 'store_unavailable' } as const;
    for (const line of [refusalLine(refused, ''), lineToStranger(refused, '')])
      assert.equal(line, 'notp: the login state cannot be reached (no record of it could be made)\n');
  });
});
