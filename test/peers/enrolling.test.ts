/** What becomes of a working secret while another one is made, by notp and by google-authenticator, and what the new one's QR code says. pam_oath has no such tool. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { SBIN_PATH } from '../support/world.ts';
import { compare } from '../trials/trial.ts';
import { NEEDS, peersWorld, type PeersWorld } from './peers-world.ts';

const NO_TOOL = 'has no tool';
/** What google-authenticator asks about without them. */
const GOOGLE = ['google-authenticator', '-t', '-d', '-w', '3', '-r', '3', '-R', '30'];
const PARAMETERS = ['secret', 'issuer', 'period', 'digits', 'algorithm'];

describe('enrolling again, with notp and with google-authenticator', { skip: NEEDS }, () => {
  let world: PeersWorld;
  let disk: SmallDisk;
  before(async () => {
    // The home, with what is in it, is a disk of its own.
    world = await peersWorld('peers-enrolling', ({ home, uid, gid }) => {
      disk = new SmallDisk(home, `mode=700,uid=${String(uid)},gid=${String(gid)}`);
    });
  });
  beforeEach(() => {
    world.nextDay();
  });

  /** notp-enroll as root, and the other tool as the user: as each is meant to be used. */
  const enrol = {
    notp: async (words: readonly string[], input = ''): Promise<Ran> =>
      await run([...world.command, 'enroll', '--config', world.pam.config, '--user', world.user.name, ...words], {
        environment: world.environment,
        input,
      }),
    google: async (words: readonly string[], input = ''): Promise<Ran> => {
      const { uid, gid, home, name } = world.user;
      const environment = { ...world.environment, PATH: SBIN_PATH, HOME: home, USER: name };
      return await run([...GOOGLE, ...words], { uid, gid, cwd: home, clearEnvironment: true, environment, input });
    },
  };
  /** What became of the secret of before. */
  const old = async (asked: 'notp' | 'google'): Promise<string> =>
    (await world.lets(asked, world.code())) ? 'old secret works' : 'old secret lost';

  it('on a full disk leaves the old secret working', async () => {
    for (const again of [() => enrol.notp(['--no-confirm', '--replace']), () => enrol.google(['-C', '-f', '-q'])]) {
      disk.fill();
      const { code, stderr } = await again();
      assert.notEqual(code, 0);
      assert.match(stderr, /ENOSPC|No space left/);
      disk.free();
    }
    const cells = { notp: await old('notp'), google: await old('google') };
    compare({ row: '8a', attack: 'enrolling again on a full disk', ...cells, oath: NO_TOOL });
    assert.equal(cells.notp, 'old secret works');
  });

  it('by a script that says nothing of replacing leaves it working', async () => {
    assert.equal((await enrol.notp(['--no-confirm', '--json'])).code, 1);
    // Without -f it asks, and a script has no answer.
    assert.equal((await enrol.google(['-C', '-f', '-q'])).code, 0);
    const cells = { notp: await old('notp'), google: await old('google') };
    compare({ row: '8b', attack: 'a script enrols somebody who is enrolled already (google-authenticator -f)', ...cells, oath: NO_TOOL });
    assert.equal(cells.notp, 'old secret works');
  });

  it('leaves it working after a wrong confirmation, and shows no right one', async () => {
    const notp = await enrol.notp(['--replace', '--qr', 'none'], '000000\n');
    const google = await enrol.google(['-f', '-Q', 'NONE'], '000000\n-1\n');
    const cells = {
      notp: `${await old('notp')}, code ${tells(notp)}`,
      google: `${await old('google')}, code ${tells(google)}`,
    };
    compare({
      row: '8c',
      attack: 'a wrong code to confirm a new secret, and then none (google-authenticator: -1)',
      ...cells,
      oath: NO_TOOL,
    });
    assert.equal(cells.notp, 'old secret works, code not shown');
  });

  /** Whether the right code of the new secret was shown. */
  const tells = ({ stdout, stderr }: Ran): string => {
    const secret = /(?:secret key is|Key): ([A-Z2-7 ]+)/.exec(stdout + stderr)?.[1]?.replaceAll(' ', '') ?? '';
    assert.match(secret, /^[A-Z2-7]{16,}$/);
    assert.notEqual(secret, world.enrolled.secret);
    const right = [-30, 0, 30].map((offsetSeconds) => world.code(offsetSeconds, secret));
    return right.some((code) => (stdout + stderr).includes(code)) ? 'shown' : 'not shown';
  };

  it('gives a URI that says every parameter', async () => {
    const { stdout } = await enrol.google(['-C', '-f', '-Q', 'ANSI']);
    const [google = ''] = /otpauth:\S+/.exec(decodeURIComponent(/chl=(\S+)/.exec(stdout)?.[1] ?? '')) ?? [];
    const cells = { notp: missing(world.enrolled.uri), google: missing(google) };
    compare({ row: '13', attack: 'no attack: what the URI leaves to the guess of the app', ...cells, oath: NO_TOOL });
    assert.equal(cells.notp, 'nothing');
  });
});

function missing(uri: string): string {
  const parameters = new URL(uri).searchParams;
  assert.ok(parameters.has('secret'), uri);
  return PARAMETERS.filter((name) => !parameters.has(name)).join(', ') || 'nothing';
}
