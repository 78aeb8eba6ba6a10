/** `notp revoke`: an ended enrolment does not log in any more, whatever is on its way, until somebody enrols again. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, beforeEach, describe, it } from 'node:test';
import { addUser, lacks, oathCode, runAs, type Enrolled, type TestUser } from '../../support/world.ts';
import { run } from '../../support/process.ts';
import { asked, code, NEEDS, questionFor, sentFile, serveWorld, type ServeWorld, type Service } from '../../doors/serve-world.ts';
import { ownState, PASSPHRASE, type OwnState } from '../own-state.ts';

describe('revoking one’s own enrolment', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  let own: OwnState;
  let enrolled: Enrolled;
  beforeEach(async () => {
    own = ownState('revoke');
    enrolled = await own.enrol();
  });
  const login = async (): Promise<string> => {
    const { stdout } = await own.verify(enrolled.recovery[0] ?? '');
    return /"(?:reason|method)":"(\w+)"/.exec(stdout)?.[1] ?? stdout;
  };

  it('ends its logins, and is on record', async () => {
    const { code: exit, stdout, stderr } = await own.notp(['revoke', '--yes', '--json']);
    assert.equal(exit, 0, stderr);
    const { user, context, revoked } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([typeof user, context, revoked], ['string', 'ssh', true]);
    assert.match(stderr, /sessions that are open stay open/);
    assert.equal(own.records().at(-1)?.['event'], 'revoke');
    assert.equal(await login(), 'revoked');
    assert.ok(fs.existsSync(enrolled.file), 'the file stays; it is worth nothing');
  });

  it('is asked about on a terminal, and only "yes" does it', async () => {
    for (const [answer, exit, word] of [
      ['y', 1, /not confirmed/],
      ['', 1, /not confirmed/],
      ['yes', 0, /Revoked: /],
    ] as const) {
      const terminal = own.inTerminal(['revoke']);
      await terminal.expect(/Revoke ssh of \w[^?]*\? Type yes: /);
      terminal.send(`${answer}\r`);
      await terminal.expect(word);
      assert.equal(await terminal.exited, exit);
      assert.equal(
        own.records().some(({ event }) => event === 'revoke'),
        exit === 0,
      );
    }
    assert.equal(await login(), 'revoked');
  });

  it('needs --yes where there is no terminal, whatever stdin says', async () => {
    const { code: exit, stderr } = await own.notp(['revoke'], { input: 'yes\n' });
    assert.equal(exit, 2);
    assert.match(stderr, /there is no terminal to ask on\nnotp: hint: give --yes/);
    assert.equal(await login(), 'recovery');
  });

  it('says where there is nothing to revoke: another context, twice, or nobody ever', async () => {
    const other = await own.notp(['revoke', 'deploy', '--yes']);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /is not enrolled for deploy\nnotp: hint: nothing was changed/);
    assert.equal((await own.notp(['revoke', '--yes'])).code, 0);
    assert.equal((await own.notp(['revoke', '--yes'])).code, 1);
    const unasked = await own.notp(['revoke']);
    assert.equal(unasked.code, 1, 'no question is asked first');
    assert.match(unasked.stderr, /is not enrolled for ssh\nnotp: hint: nothing was changed/);
    const nobody = ownState('revoke-nobody');
    assert.equal((await nobody.notp(['revoke', '--yes'])).code, 1);
    assert.ok(!fs.existsSync(nobody.secrets), 'nothing was made');
    assert.equal((await own.notp(['revoke', '../x', '--yes'])).code, 2);
  });

  it('leaves other contexts alone', async () => {
    const deploy = await own.enrol('deploy');
    await own.notp(['revoke', '--yes']);
    assert.equal((await own.verify(oathCode(deploy.secret), 'deploy')).code, 0);
  });

  it('is over when somebody enrols again, with the new secret only', async () => {
    await own.notp(['revoke', '--yes']);
    const old = fs.readFileSync(enrolled.file);
    const again = await own.enrol();
    assert.equal((await own.verify(oathCode(again.secret))).code, 0);
    fs.writeFileSync(enrolled.file, old);
    assert.equal(await login(), 'stale_enrolment');
  });

  it('is not undone by a new passphrase', async () => {
    await own.notp(['revoke', '--yes']);
    const terminal = own.inTerminal(['passphrase', 'ssh']);
    for (let i = 0; i < 3; i++) {
      const [said] = await terminal.expect(/(assphrase|again)[^:\n]*: |notp: error/);
      if (said.includes('error')) break;
      terminal.send(`${PASSPHRASE}
`);
    }
    await terminal.exited;
    assert.equal(await login(), 'revoked');
  });
});

describe('revoking with the service', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let service: Service;
  let alice: TestUser;
  let enrolled: Enrolled;
  before(async () => {
    world = serveWorld('revoke-service');
    alice = addUser();
    service = await world.start(alice.uid);
  });
  beforeEach(() => {
    enrolled = world.enrol(alice);
  });
  const revoke = (...words: readonly string[]): ReturnType<typeof run> =>
    run([world.notp, 'revoke', '--config', world.config, '--user', alice.name, ...words]);

  it('by root ends the logins that the service judges, also those that are asked for already', async () => {
    assert.equal(await asked(service, questionFor(enrolled.file, [], { ask: 'before' })), 'ask');
    const { code: exit, stderr } = await revoke('--yes');
    assert.equal(exit, 0, stderr);
    assert.match(stderr, new RegExp(`Revoked: ${alice.name} does not log in with ssh any more`));
    assert.equal(await asked(service, questionFor(enrolled.file, code(oathCode(enrolled.secret)))), 'revoked');
    assert.equal(await asked(service, questionFor(undefined, [], { ask: 'before' })), 'revoked');
    const event = world.records().find((record) => record['event'] === 'revoke');
    assert.deepEqual([event?.['user'], event?.['uid'], event?.['door']], [alice.name, alice.uid, 'cli']);
  });

  it('is undone by a new enrolment only', async () => {
    const old = fs.readFileSync(enrolled.file, 'utf8');
    await revoke('--yes');
    const again = world.enrol(alice);
    assert.equal(
      await asked(service, questionFor(undefined, code(oathCode(enrolled.secret)), { files: sentFile(old) })),
      'stale_enrolment',
    );
    assert.equal(await asked(service, questionFor(again.file, code(oathCode(again.secret)))), 'totp');
  });

  it('is nothing that the user can do to the state of the service', async () => {
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'revoke', '--config', world.config, '--yes']);
    assert.notEqual(exit, 0, stderr);
    const other = await runAs(alice, [world.notp, 'revoke', '--config', world.config, '--yes', '--user', 'root']);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /only root can revoke for somebody else\nnotp: hint: sudo notp revoke --user root/);
    assert.equal(await asked(service, questionFor(enrolled.file, code(oathCode(enrolled.secret)))), 'totp');
  });

  it('names whom it does not know', async () => {
    const { code: exit, stderr } = await run([world.notp, 'revoke', '--config', world.config, '--yes', '--user', 'nobody-of-that-name']);
    assert.equal(exit, 2);
    assert.match(stderr, /there is no user "nobody-of-that-name"/);
  });
});
