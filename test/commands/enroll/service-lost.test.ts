/** `notp enroll --replace` through the service that breaks off: the old or the new enrolment works, whole. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { connect, createServer } from 'node:net';
import { before, beforeEach, describe, it } from 'node:test';
import { serveWorld, type ServeWorld, type Service } from '../../doors/serve-world.ts';
import { atEnd } from '../../support/cleanup.ts';
import type { Terminal } from '../../support/process.ts';
import { addUser, lacks, must, oathCode, type TestUser } from '../../support/world.ts';
import { enrolled, enrolling, logIn, newKey } from './enrolling.ts';

let world: ServeWorld;
let alice: TestUser;

/** A relay at alice's socket that hangs up instead of handing on the step `last`. */
async function relay(service: Service, last: string): Promise<void> {
  const place = world.socketOf(alice.uid);
  fs.rmSync(place, { force: true });
  const server = createServer((client) => {
    const upstream = connect(service.socket);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => {
      if (!chunk.includes(`"step":"${last}"`)) upstream.write(chunk);
      else for (const socket of [client, upstream]) socket.destroy();
    });
    client.on('close', () => upstream.destroy());
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(place, resolve));
  fs.chownSync(place, alice.uid, alice.gid);
  atEnd(() => void server.close());
}

describe(
  'a replacement through the service',
  { skip: lacks({ root: true, programs: ['setpriv', 'python3', 'oathtool', 'useradd', 'chattr'] }) },
  () => {
    let service: Service;
    let old: { secret: string; recovery: readonly string[] };
    before(() => {
      world = serveWorld('enroll-broken');
    });
    beforeEach(async () => {
      alice = addUser();
      old = world.enrol(alice);
      service = await world.start(alice.uid);
    });
    const replacing = async (): Promise<Terminal> => {
      const terminal = enrolling(world, alice, '--replace');
      await terminal.expect(/to replace: /);
      terminal.send(`${old.recovery[0] ?? ''}\r`);
      return terminal;
    };

    it('that loses the connection before the confirmation leaves the old enrolment', async () => {
      await relay(service, 'confirm');
      const terminal = await replacing();
      terminal.send(`${oathCode(await newKey(terminal))}\r`);
      await terminal.expect(/it ended the conversation\s+notp: hint: /);
      assert.equal(await terminal.exited, 3);
      assert.equal(await logIn(service, alice, old.secret), 'totp');
    });

    it('that loses it when the new file is in place leaves the new enrolment, whole', async () => {
      await relay(service, 'complete');
      const terminal = await replacing();
      const secret = await enrolled(terminal);
      assert.match(terminal.output(), /Recovery codes/);
      assert.equal(await logIn(service, alice, secret), 'totp');
      assert.equal(await logIn(service, alice, old.secret), 'wrong_code');
    });

    it('that cannot write the file leaves the old enrolment, and says why, also where that cannot be told to the service', async () => {
      for (const step of ['none', 'abandon']) {
        await relay(service, step);
        const terminal = await replacing();
        const secret = await newKey(terminal);
        must(['chattr', '+i', `${alice.home}/.notp`]);
        try {
          terminal.send(`${oathCode(secret)}\r`);
          await terminal.expect(/(EPERM|not permitted)[^]*nothing was changed; discard any key or codes that were shown/);
          assert.equal(await terminal.exited, 3);
        } finally {
          must(['chattr', '-i', `${alice.home}/.notp`]);
        }
        old = { ...old, recovery: old.recovery.slice(1) };
      }
      assert.equal(await logIn(service, alice, old.secret), 'totp');
    });

    it('that is interrupted while the code is asked for leaves the old enrolment', async () => {
      await relay(service, 'none');
      const terminal = await replacing();
      await newKey(terminal);
      terminal.send('\x03');
      assert.notEqual(await terminal.exited, 0);
      assert.equal(await logIn(service, alice, old.secret), 'totp');
    });
  },
);
