/** The comparison that ends a soak finds what it is there to find. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Logged } from '../service/world.ts';
import { unlike, type Try } from './log.ts';

const ORIGIN = { user: 'alice', uid: 1000, context: 'ssh', door: 'gate' } as const;
const ACCEPTED: Logged = { ...ORIGIN, event: 'login.accepted', result: 'accepted', method: 'totp', ref: '00000001' };
const REFUSED: Logged = { ...ORIGIN, event: 'login.refused', result: 'refused', reason: 'wrong_code', ref: '00000002' };
const UNREACHED: Logged = { ...REFUSED, reason: 'store_unavailable', ref: '00000003' };
const CAME_IN: Try = { user: 'alice', proof: '000000', in: true, ref: undefined, said: 'alice' };
const WENT: Try = { user: 'alice', proof: '000000', in: false, ref: REFUSED.ref, said: 'code not accepted' };
const NOBODY_THERE: Try = { ...WENT, ref: UNREACHED.ref };

describe('what people saw beside the logs', () => {
  it('is alike where each has its record, and where a killed service recorded what it could not tell', () => {
    assert.deepEqual(unlike([CAME_IN, WENT], [ACCEPTED, REFUSED], []), []);
    assert.deepEqual(unlike([NOBODY_THERE], [ACCEPTED], [UNREACHED]), []);
  });

  it('is not where a record is lost, stands for no login, or is of a judgement that was not the service’s', () => {
    assert.match(unlike([WENT], [], []).join(), /no record of code not accepted/);
    assert.match(unlike([CAME_IN], [], []).join(), /0 records of a login, 1 logins/);
    assert.match(unlike([WENT], [ACCEPTED, REFUSED], []).join(), /1 records of a login, 0 logins/);
    assert.match(unlike([CAME_IN], [ACCEPTED], [ACCEPTED]).join(), /judged by a user's own state/);
  });
});
