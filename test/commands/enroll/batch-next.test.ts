/** What a batch does for one user, from what store, sealed file and hand-out say together. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextFor, type Seen } from '../../../src/commands/enroll/batch-next.ts';
import { registrationOf, type SealedFile } from '../../../src/seal/file.ts';
import type { Enrolment } from '../../../src/store/store.ts';
import type { Found } from '../../../src/system/secrets.ts';

const [OLD, NEW, OTHER] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)] as const;
const STATE = { lastStep: -1, bucket: { tokens: 5, asOfMs: 0 }, spent: '' };

function enrolment(id: string, pendingId = '', status: Enrolment['status'] = 'active'): Enrolment {
  const [digest, pendingDigest] = [id, pendingId].map((each) => (each === '' ? '' : registrationOf(sealed(each)).digest));
  const ids = { id, digest: digest ?? '', pendingId, pendingDigest: pendingDigest ?? '' };
  return { user: 'alice', context: 'ssh', ...ids, status, state: STATE, pendingState: STATE, lastAcceptedMs: 0, uid: 1000 };
}

function sealed(id: string): SealedFile {
  const seal = { kind: 'host', key: '0'.repeat(32) } as const;
  return {
    ...{ id, user: 'alice', context: 'ssh', created: '2026-11-23T17:00:00Z', seal },
    ...{ nonce: new Uint8Array(24), ciphertext: new Uint8Array(64) },
  };
}

function file(id: string): Found {
  return { kind: 'sealed', file: sealed(id) };
}

function byPassphrase(id: string): Found {
  const seal = { kind: 'passphrase', kdf: 'argon2id', m: 65536, t: 3, p: 1, salt: new Uint8Array(16) } as const;
  return { kind: 'sealed', file: { ...sealed(id), seal } };
}

function told({ enrolment: known, found = { kind: 'absent' }, handout }: Partial<Seen>, replace = false): string {
  const next = nextFor({ enrolment: known, found, handout }, { replace });
  if (next.do === 'make') return `make${next.replaces ? ', replacing' : ''}${next.remnant ? ', remnant' : ''}`;
  return `${next.outcome.kind}${next.pendingId === undefined ? '' : ', completing'}`;
}

const handout = (id: string | undefined): Seen['handout'] => ({ id, file: '/root/out/alice.txt' });

describe('nextFor', () => {
  for (const [what, seen, expected, replaced] of [
    ['nobody knows', {}, 'make', 'make'],
    ['has a secret of another service by that name', { found: byPassphrase(OTHER) }, 'skipped', 'make'],
    [
      'was invited, and has a secret of another service by that name',
      { enrolment: enrolment('', '', 'invited'), found: byPassphrase(OTHER) },
      'skipped',
      'make',
    ],
    ['was invited', { enrolment: enrolment('', '', 'invited') }, 'make', 'make'],
    ['was interrupted before the hand-out', { enrolment: enrolment('', NEW) }, 'make', 'make'],
    ['was interrupted after it', { enrolment: enrolment('', NEW), handout: handout(NEW) }, 'make, remnant', 'make, remnant'],
    [
      'was interrupted after the file',
      { enrolment: enrolment('', NEW), found: file(NEW), handout: handout(NEW) },
      'made before, completing',
      'made before, completing',
    ],
    ['is done', { enrolment: enrolment(NEW), found: file(NEW), handout: handout(NEW) }, 'made before', 'made before'],
    ['somebody else enrolled', { enrolment: enrolment(OLD), found: file(OLD) }, 'already', 'make, replacing'],
    ['somebody else is about to have enrolled', { enrolment: enrolment('', OLD), found: file(OLD) }, 'already, completing', 'make'],
    [
      'was interrupted in a replacement',
      { enrolment: enrolment(OLD, NEW), found: file(OLD), handout: handout(NEW) },
      'already',
      'make, replacing, remnant',
    ],
    [
      'has the hand-out of another enrolment',
      { enrolment: enrolment(OLD), found: file(OLD), handout: handout(OTHER) },
      'already',
      'failed',
    ],
    ['has a file of that name which is no hand-out', { handout: handout(undefined) }, 'failed', 'failed'],
    ['has lost the sealed file', { enrolment: enrolment(OLD) }, 'skipped', 'make, replacing'],
    ['was revoked', { enrolment: enrolment(OLD, '', 'revoked'), found: file(OLD) }, 'skipped', 'make, replacing'],
    ['has an old copy of the sealed file', { enrolment: enrolment(OLD), found: file(OTHER) }, 'skipped', 'make, replacing'],
    [
      'has a sealed file that cannot be read',
      { enrolment: enrolment(OLD), found: { kind: 'bad', why: 'x' } },
      'skipped',
      'make, replacing',
    ],
  ] as const) {
    it(`of a user who ${what}: ${expected}; with --replace: ${replaced}`, () => {
      assert.equal(told(seen), expected);
      assert.equal(told(seen, true), replaced);
    });
  }
});
