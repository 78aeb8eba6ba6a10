/** With the service's state only the registered sealed file logs in: no old copy, no other's, no edited one, and none at all. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { toBase32 } from '../../../src/otp/code.ts';
import { MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, parseSealedFile, printSealedFile, type PassphraseSeal } from '../../../src/seal/file.ts';
import { passphraseKey } from '../../../src/seal/keys.ts';
import { seal } from '../../../src/seal/seal.ts';
import { sshInTerminal } from '../../support/container-ssh.ts';
import { lacks, oathCode, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const FILE = '.notp/ssh';

const codeOf = async (phone: Phone | undefined): Promise<string> => (await phone?.code()) ?? '';

describe('the sealed file before the service', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  /** Of the enrolment that was replaced, of the one that counts, and of somebody else. */
  let [olds, news, bobs]: Phone[] = [];
  /** A recovery code that is right, and would be spent only where it is accepted. */
  let right: string;

  const asAlice = (command: string): Promise<string> => world.container.must(['sh', '-c', command], { as: 'alice' });

  before(async () => {
    world = await bootService('stale');
    alice = await world.addUser('alice');
    const bob = await world.addUser('bob');
    olds = await world.enroll(alice);
    await asAlice(`cp ${FILE} old`);
    news = await world.enroll(alice, ['--replace']);
    await asAlice(`cp ${FILE} current`);
    bobs = await world.enroll(bob);
    right = news.recoveryCode();
    await world.container.must(['install', '-o', 'alice', '-m', '0600', '/home/bob/.notp/ssh', '/home/alice/bobs']);
  });

  /** Every proof is refused for `reason`, which the record has, with `detail`. */
  async function refuses(proofs: readonly string[], reason: string, detail: RegExp): Promise<void> {
    for (const proof of proofs) {
      const ran = await world.login(alice, proof);
      assert.deepEqual([ran.code, ran.stdout], [1, '']);
      const record = await world.recordOf(ran);
      assert.deepEqual([record?.user, record?.reason], ['alice', reason]);
      assert.match(record?.detail ?? '', detail);
    }
  }

  async function putRightLogsIn(): Promise<void> {
    await asAlice(`cp current ${FILE}`);
    assert.equal((await world.login(alice, news?.recoveryCode() ?? '')).stdout, 'alice\n');
  }

  it('is stale as an old copy, with codes of the old secret and of the new one', async () => {
    await asAlice(`cp old ${FILE}`);
    await refuses([await codeOf(olds), olds?.recoveryCode() ?? '', await codeOf(news)], 'stale_enrolment', /id is [0-9a-f]{32}/);
    await putRightLogsIn();
  });

  it('is missed where it was deleted: without it nobody gets in, and no question is asked', async () => {
    await asAlice(`rm ${FILE}`);
    await refuses([await codeOf(news), right], 'bad_secret_file', /missing/);
    const terminal = sshInTerminal(world.container, alice);
    assert.equal(await terminal.exited, 1);
    assert.doesNotMatch(terminal.output(), /code: /);
    await asAlice('rm -r .notp');
    await refuses([right], 'bad_secret_file', /missing/);
    await asAlice('mkdir -m 0700 .notp; install -m 0600 current .notp/ssh');
    await putRightLogsIn();
  });

  it("is refused where it is another user's", async () => {
    await asAlice(`cp bobs ${FILE}`);
    await refuses([await codeOf(bobs), bobs?.recoveryCode() ?? '', right], 'bad_secret_file', /another user/);
    await putRightLogsIn();
  });

  it("is refused where it is another user's with the own name written into it", async () => {
    await asAlice(`sed 's/"bob"/"alice"/' bobs > ${FILE}`);
    await refuses([await codeOf(bobs), right], 'stale_enrolment', /id is/);
    await putRightLogsIn();
  });

  it('is refused where anything of it was edited', async () => {
    const [id = ''] = /[0-9a-f]{32}/.exec(await asAlice('cat current')) ?? [];
    await asAlice(`sed 's/"created": *"20/"created": "19/' current > ${FILE}`);
    await refuses([right], 'stale_enrolment', /registered id and other content/);
    await asAlice(`sed 's/"ssh"/"web"/' current > ${FILE}`);
    await refuses([right], 'bad_secret_file', /context/);
    await asAlice(`sed 's/"ciphertext": *"..../"ciphertext": "AAAA/' current > ${FILE}`);
    await refuses([right], 'stale_enrolment', /registered id and other content/);
    // The registered id on the old file.
    await asAlice(`sed 's/"id": *"[0-9a-f]*"/"id": "${id}"/' old > ${FILE}`);
    await refuses([olds?.recoveryCode() ?? '', right], 'stale_enrolment', /registered id and other content/);
    await putRightLogsIn();
  });

  it('was accepted with the registered id around a secret and a passphrase of the own', async () => {
    const current = parseSealedFile(Buffer.from(await asAlice('cat current')));
    const secret = randomBytes(20);
    for (const passphrase of ['mine', '']) {
      const own: PassphraseSeal = { kind: 'passphrase', m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES, p: 1, salt: randomBytes(16) };
      const recovery = { salt: randomBytes(16), hashes: [] };
      const payload = { type: 'totp', secret, algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: '', account: '', recovery } as const;
      const forged = seal({ ...current, seal: own }, payload, passphraseKey(passphrase, own), randomBytes(24));
      await asAlice(`echo ${Buffer.from(printSealedFile(forged)).toString('base64')} | base64 -d > ${FILE}`);
      const code = oathCode(toBase32(secret));
      await refuses([`${passphrase} ${code}`.trim()], 'stale_enrolment', /registered id and other content/);
    }
    await putRightLogsIn();
  });

  it('is refused where others can read it, or where it is a link or a FIFO, and the gate does not wait for it', async () => {
    await asAlice(`chmod 644 ${FILE}`);
    await refuses([right], 'bad_secret_file', /mode|read/);
    await asAlice(`chmod 600 ${FILE}; mv ${FILE} .notp/real; ln -s real ${FILE}`);
    await refuses([right], 'bad_secret_file', /./);
    await asAlice(`rm ${FILE}; mkfifo -m 600 ${FILE}`);
    await refuses([right], 'bad_secret_file', /./);
    await asAlice(`rm ${FILE}; mv .notp/real ${FILE}`);
    await putRightLogsIn();
  });
});
