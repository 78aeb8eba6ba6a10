/** The answer to a ping: a service says what keeps it from deciding, to root in words, and changes nothing. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { parsePong, type Health } from '../../src/wire/ping.ts';
import { WIRE } from '../../src/wire/question.ts';
import { connectTo, NEEDS, serveWorld, type Service, type ServeWorld } from './serve-world.ts';
import { run } from '../support/process.ts';
import { addUser, type TestUser } from '../support/world.ts';

const PING = '{"notp":"ping/2"}\n';

const health = async (service: Service): Promise<Health> => {
  const connection = connectTo(service);
  connection.say(PING);
  const line = (await connection.line()) ?? '';
  connection.close();
  return parsePong(line);
};

describe('a service that is asked whether it works', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  let judge: Service;
  let own: Service;
  before(async () => {
    world = serveWorld('health');
    alice = addUser();
    world.enrol(alice);
    judge = await world.startJudge();
    own = await world.start(alice.uid);
  });

  const inPlace = (name: string): string => path.join(world.folder, name);
  const contents = (): Buffer[] => ['var/state.db', 'log/audit.log'].map((name) => fs.readFileSync(inPlace(name)));
  /** What both services say while `change` holds. */
  const heardWhile = async (change: () => void, undo: () => void): Promise<readonly [Health, Health]> => {
    change();
    try {
      return [await health(judge), await health(own)];
    } finally {
      undo();
    }
  };

  it('says that it does, and which host key it has', async () => {
    const id = (await run([world.notp, 'host-key', 'id', '--config', world.config])).stdout.trim();
    for (const service of [judge, own]) assert.deepEqual(await health(service), { reason: undefined, detail: '', key: id, wire: WIRE });
  });

  it('changes nothing: state and log are byte for byte the same, and no record is made', async () => {
    const earlier = contents();
    for (let i = 0; i < 5; i++) for (const service of [judge, own]) await health(service);
    assert.deepEqual(contents(), earlier);
  });

  for (const [what, reason, detail, file, mode] of [
    [
      'a configuration that only root can read',
      'bad_configuration',
      /notp\.toml cannot be opened: permission denied \(EACCES\)/,
      'notp.toml',
      0o600,
    ],
    [
      'a folder of the state that it cannot enter',
      'store_unavailable',
      /cannot look at .*state\.db: permission denied \(EACCES\)/,
      'var',
      0o000,
    ],
    ['a host key that is open to others', 'store_unavailable', /host\.key has mode 0644/, 'etc/host.key', 0o644],
    [
      'a log that it cannot append to',
      'audit_unavailable',
      /the audit log cannot be appended to: permission denied \(EACCES\)/,
      'log/audit.log',
      0o400,
    ],
  ] as const)
    it(`names ${what}: doctor, which is root, found nothing`, async () => {
      const place = inPlace(file);
      const earlier = fs.statSync(place).mode & 0o7777;
      const [toRoot, toUser] = await heardWhile(
        () => {
          fs.chmodSync(place, mode);
        },
        () => {
          fs.chmodSync(place, earlier);
        },
      );
      assert.equal(toRoot.reason, reason);
      assert.match(toRoot.detail, detail);
      assert.deepEqual([toUser.reason, toUser.detail], [reason, ''], 'a user learns no more than from a refused login');
      assert.match(own.stderr(), detail);
      assert.equal((await health(judge)).reason, undefined);
    });

  it('answers more than one ping, and a question, on one connection', async () => {
    const connection = connectTo(own);
    for (let i = 0; i < 3; i++) {
      connection.say(PING);
      assert.match((await connection.line()) ?? '', /^\{"notp":"pong\/2","reason":null/);
    }
    connection.close();
  });

  it('takes anything that is not exactly a ping for a malformed question', async () => {
    for (const line of ['{"notp":"ping/2" }\n', '{"notp":"ping/2","account":null}\n']) {
      const connection = connectTo(own);
      connection.say(line);
      assert.equal(await connection.line(), undefined, line);
    }
  });
});
