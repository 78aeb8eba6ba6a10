/** One judge of two that cannot decide keeps nobody out, and a member whose judges cannot decide says so. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import * as tls from 'node:tls';
import { before, describe, it } from 'node:test';
import { printGreeting } from '../../src/wire/fleet-judges.ts';
import { ping } from '../../src/wire/ping.ts';
import { connectOnce } from '../../src/wire/remote.ts';
import { printQuestion, WIRE, type Question } from '../../src/wire/question.ts';
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';
import { freePort } from '../support/postgres.ts';
import { sleep } from '../support/process.ts';
import {
  addUser,
  builtNotp,
  lacks,
  must,
  oathCode,
  scratchFolder,
  untilFreshStep,
  type Enrolled,
  type TestUser,
} from '../support/world.ts';
import {
  authority,
  certify,
  connectAs,
  filesIn,
  fleetJudge,
  fleetLines,
  fleetMember,
  type FleetJudge,
  type Member,
} from './judges-world.ts';
import { pamWorld, type PamWorld } from './pam-world.ts';

const NEEDS = lacks({ root: true, programs: ['oathtool', 'openssl', 'python3'] });

/** What the judge of a member's PAM door says of itself. */
const heard = async (at: Member): Promise<string> => {
  const said = await ping(await connectOnce(`${at.folder}/run/judge.sock`));
  assert.ok('health' in said, JSON.stringify(said));
  return said.health.reason === undefined ? 'can decide' : said.health.detail;
};
/** Breaks the file by `change`, and gives what puts it right again. */
const changed = (file: string, change: (text: string) => string) => (): (() => void) => {
  const well = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, change(well));
  return () => {
    fs.writeFileSync(file, well);
  };
};

describe('a judge of a fleet that cannot decide', { skip: NEEDS }, () => {
  let ca: string;
  let host: PamWorld;
  let broken: FleetJudge;
  let web1: Member;
  let alone: Member;
  let user: TestUser;
  let phone: Enrolled;
  /** The configuration of the judge that is broken, and its own host key. */
  let config: string;
  let key: string;

  before(async () => {
    ca = authority('broken');
    const [folder, other] = [scratchFolder('judge-well'), scratchFolder('judge-broken')];
    certify(ca, 'localhost', folder, ['--judge']);
    host = await pamWorld('judge-well', { top: 'secrets = "store"\n', tables: fleetLines(folder) });
    // The same store, by a configuration and a key of its own.
    [config, key] = [`${other}/notp.toml`, `${other}/host.key`];
    fs.copyFileSync(`${host.folder}/etc/host.key`, key);
    fs.chownSync(key, host.service.uid, host.service.gid);
    fs.chmodSync(key, 0o400);
    fs.writeFileSync(config, fs.readFileSync(host.config, 'utf8').replace(`${host.folder}/etc/host.key`, key));
    const well = await fleetJudge(host.config);
    broken = await fleetJudge(config);
    for (const each of [broken, well]) await each.start();
    web1 = fleetMember('broken-web1', [broken.port, well.port]);
    alone = fleetMember('broken-alone', [broken.port]);
    for (const [name, each] of [
      ['web1', web1],
      ['alone', alone],
    ] as const) {
      certify(ca, name, each.folder);
      await each.startJudge();
    }
    user = addUser();
    phone = await host.enroll(user);
  });

  /** Waits for what the judge says: it comes by another way than its answers. */
  const untilSaid = async (what: RegExp): Promise<void> => {
    for (let tries = 0; tries < 250 && !what.test(broken.stderr()); tries++) await sleep(20);
    assert.match(broken.stderr(), what);
  };
  const recovery = (): string => {
    const [first = '', ...rest] = phone.recovery;
    phone = { ...phone, recovery: rest };
    return first;
  };
  /** What is wrong with the judge, what it says of it, and what makes it so. */
  const faults = (): readonly (readonly [string, string, () => () => void])[] => {
    return [
      ['its notp.toml has a typo', 'bad_configuration', changed(config, (text) => `${text}\nnonsense = 1\n`)],
      [
        'its host key is away',
        'store_unavailable',
        () => {
          fs.renameSync(key, `${key}.away`);
          return () => {
            fs.renameSync(`${key}.away`, key);
          };
        },
      ],
      ['its store is away', 'store_unavailable', changed(config, (text) => text.replace('/state.db', '/nowhere.db'))],
      ['its log cannot be written', 'audit_unavailable', changed(config, (text) => text.replace('/audit.log', '/nowhere/audit.log'))],
    ];
  };

  it('ends the connection, so that the member asks the next one, and no try counts twice', async () => {
    assert.equal(await heard(alone), 'can decide');
    for (const [what, reason, breakIt] of faults()) {
      const mend = breakIt();
      try {
        assert.match(await heard(alone), new RegExp(`^no judge answers: localhost:\\d+: it cannot decide \\(${reason}\\)`), what);
        if (reason === 'audit_unavailable') continue;
        const count = host.records().length;
        const entered = await web1.pam(user, recovery());
        assert.equal(entered.code, 0, `${what}: ${entered.stdout}${entered.stderr}`);
        assert.deepEqual(
          host
            .records()
            .slice(count)
            .map(({ event }) => event),
          ['login.accepted', 'recovery.used'],
          what,
        );
        const refused = await alone.pam(user, '123456');
        assert.equal(refused.code, 1);
        const last = alone.records().at(-1);
        assert.deepEqual([last?.['event'], last?.['reason'], last?.['user']], ['login.refused', 'store_unavailable', user.name], what);
      } finally {
        mend();
      }
    }
    const mend = changed(config, (text) => `context = "other"\n${text}`)();
    assert.equal((await alone.pam(user, '123456')).code, 1);
    assert.equal(alone.records().at(-1)?.['reason'], 'store_unavailable', 'it has other contexts');
    mend();
    assert.equal(await heard(alone), 'can decide');
    await untilFreshStep(10);
    assert.equal((await alone.pam(user, oathCode(phone.secret))).code, 0, broken.stderr());
    await untilSaid(/notp\.toml:\d+: unknown key "nonsense"/);
  });

  it('is named as one of another release, by the member and in its own journal', async () => {
    const port = await freePort();
    const folder = scratchFolder('judge-other');
    certify(ca, 'localhost', folder, ['--judge']);
    const answer = printGreeting().replace('question/', 'question/9');
    const server = tls.createServer({ ...filesIn(folder), minVersion: 'TLSv1.3', requestCert: true }, (socket) => {
      socket.on('error', () => undefined).on('data', () => socket.write(answer));
    });
    await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
    try {
      const member = fleetMember('broken-old', [port]);
      certify(ca, 'old', member.folder);
      await member.startJudge();
      const why = new RegExp(`: the judge is of another release: it speaks question/9\\S+ .*, and this host ${WIRE}: upgrade`);
      assert.match(await heard(member), why);
      assert.equal((await member.pam(user, '123456')).code, 1);
      assert.match(String(member.records().at(-1)?.['detail']), why);
      const between = fleetMember('broken-between', [port, broken.port]);
      certify(ca, 'between', between.folder);
      await between.startJudge();
      assert.equal((await between.pam(user, recovery())).code, 0, 'one judge is of its release');
    } finally {
      server.close();
    }
    const asked = await connectAs(web1.folder, broken.port);
    assert.equal(`${await asked.ask(answer)}\n`, printGreeting());
    await untilSaid(/web1 is of another release, and is not answered: this judge speaks question/);
    assert.equal(await asked.ask('{"notp":"nonsense/1"}\n'), 'closed');
    await untilSaid(/malformed question of the member web1: .*\n.*only the notp of web1 and root there can send one/);
  });

  it('knows a certificate that is made right after a revocation from those that it ended', () => {
    for (const _ of [1, 2, 3]) {
      const startMs = Date.now();
      must([builtNotp(), 'fleet', 'host-cert', ca, 'web9']);
      const { validFrom } = new X509Certificate(fs.readFileSync(`${ca}/web9.crt`));
      assert.ok(Date.parse(validFrom) > startMs, `${validFrom} is before ${new Date(startMs).toISOString()}`);
      assert.ok(Date.parse(validFrom) <= Date.now());
    }
  });

  it('lets in by a grant where the user has another uid on the member', async () => {
    const folder = scratchFolder('granted-web');
    certify(ca, 'granted', folder);
    must([builtNotp(), 'grant', user.name, '--for', '1h', '--reason', 'phone lost', '--config', host.config]);
    const asked = await connectAs(folder, broken.port);
    const question: Question = {
      ...{ ask: 'before' as const, account: { user: user.name, uid: user.uid + 5_000 }, readings: [], timedOut: false },
      ...{
        origin: { context: 'ssh', door: 'gate' as const, service: 'ssh', rhost: '192.0.2.7' },
        files: [{ context: 'ssh', sealed: '', wrong: '' }],
      },
      ...{ session: { connection: undefined, keyDigest: undefined }, circumstances: { ...NOTHING_KNOWN, firstFactor: true } },
    };
    assert.match(await asked.ask(printQuestion(question)), /"result":"accepted","method":"grant"/);
    asked.close();
  });
});
