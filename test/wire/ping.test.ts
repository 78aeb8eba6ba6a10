/** The ping: its answer is read strictly, and a service that knows no ping is told from one that does not answer. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Socket } from 'node:net';
import { isPing, parsePong, ping, printPong, type Health, type Heard } from '../../src/wire/ping.ts';
import { WIRE } from '../../src/wire/question.ts';
import { connectOnce } from '../../src/wire/remote.ts';
import { scratchFolder } from '../support/world.ts';
import { fakeService } from './fake-service.ts';
import { wrongKeys, wrongValues } from './questions.ts';

const WELL: Health = { reason: undefined, detail: '', key: '0123456789abcdef', wire: WIRE };
const ILL: Health = { reason: 'store_unavailable', detail: '/srv/state.db: no such file', key: '', wire: 'question/7 answer/3' };

describe('the answer to a ping', () => {
  it('reads back as it was printed', () => {
    for (const health of [WELL, ILL]) assert.deepEqual(parsePong(printPong(health).trimEnd()), health);
    assert.equal(parsePong(printPong({ ...ILL, detail: 'x'.repeat(2_000) }).trimEnd()).detail.length, 1024);
  });

  it('without a key, with an unknown one, with one twice, or of another type is refused', () => {
    for (const line of [WELL, ILL].map((health) => printPong(health).trimEnd())) {
      // Any text may be the detail.
      const wrong = [...wrongKeys(line), ...wrongValues(line)].filter((each) => !each.includes('"detail":"\\u0000?"'));
      for (const each of wrong) assert.throws(() => parsePong(each), { name: 'NotpError' }, each.slice(0, 400));
    }
  });
});

describe('a ping', () => {
  let folder: string;
  before(() => {
    folder = scratchFolder('ping');
  });
  const heardFrom = async (speak: (socket: Socket) => void): Promise<{ heard: Heard; received: string }> => {
    const service = await fakeService(folder, async (socket, next) => {
      await next();
      speak(socket);
    });
    return { heard: await ping(await connectOnce(service.path, 400)), received: service.received() };
  };

  it('is one line, which is a ping only in its exact form', async () => {
    const { heard, received } = await heardFrom((socket) => socket.write(printPong(WELL)));
    assert.deepEqual(heard, { health: WELL });
    assert.ok(isPing(received.trimEnd()));
    for (const line of ['{"notp":"ping/2" }', '{"notp":"ping/1"}', '{"notp":"ping/2","more":1}', '']) assert.equal(isPing(line), false);
  });

  it('tells a service that knows no ping, and hangs up, from one that is silent, talks nonsense, or is not there', async () => {
    assert.deepEqual((await heardFrom((socket) => socket.destroy())).heard, { ended: true });
    assert.match(silence((await heardFrom(() => undefined)).heard), /did not answer within 0\.4 seconds/);
    assert.match(silence((await heardFrom((socket) => socket.write('no\n'))).heard), /the answer is not JSON/);
    assert.match(silence(await ping(await connectOnce(`${folder}/none.sock`, 400))), /ENOENT/);
  });
});

function silence(heard: Heard): string {
  return 'silent' in heard ? heard.silent : '';
}
