/** `notp code` of several secrets: by several names, in any case, by what they begin with, or all; each code by oathtool. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';

const NEW = 'battery staple';

describe('the codes of several secrets', { skip: lacks({ programs: ['oathtool', 'python3'] }) }, () => {
  const OTHER = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('several');
    for (const [name, secret] of [
      ['github', SECRET],
      ['gitlab', OTHER],
      ['AWS', SECRET],
    ] as const)
      assert.equal((await own.import(name, secret)).code, 0);
    const counted = `otpauth://hotp/bank?secret=${SECRET}&counter=3`;
    assert.equal((await own.import('bank', counted)).code, 0);
    const other = own.put('other', `${NEW}\n`);
    assert.equal((await own.notp(['import', 'work', '--passphrase-file', other], { input: SECRET })).code, 0);
  });

  /** Runs `words` at a moment of which both ends are in one step, and gives its lines and the codes by oathtool. */
  async function inOneStep(words: readonly string[]): Promise<{ stdout: string; stderr: string; first: string; second: string }> {
    for (;;) {
      const sinceMs = Date.now();
      const { code, stdout, stderr } = await own.opening(words);
      assert.equal(code, 0, stderr);
      if (Math.floor(sinceMs / 30_000) === Math.floor(Date.now() / 30_000))
        return { stdout, stderr, first: codeBy(SECRET, sinceMs), second: codeBy(OTHER, sinceMs) };
    }
  }

  it('are a line each in a pipe: by several names, in any case, or by what they begin with', async () => {
    for (const words of [
      ['github', 'gitlab', 'aws'],
      ['git', 'AWS'],
      ['GIT', 'a'],
    ]) {
      const { stdout, stderr, first, second } = await inOneStep(['code', ...words]);
      assert.equal(stdout, `github  ${first}\ngitlab  ${second}\nAWS     ${first}\n`);
      assert.equal(stderr, '');
    }
  });

  it('are an object each with --json, and one code alone is as ever', async () => {
    const { stdout, first, second } = await inOneStep(['code', 'git', '--json']);
    const found = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      found.map(({ context, code }) => [context, code]),
      [
        ['github', first],
        ['gitlab', second],
      ],
    );
    assert.deepEqual(
      Object.keys(found[0] ?? {}),
      Object.keys(JSON.parse((await own.opening(['code', 'github', '--json'])).stdout) as object),
    );
    const alone = await inOneStep(['code', 'GITH']);
    assert.equal(alone.stdout, `${alone.first}\n`);
  });

  it('of --all leave out what another passphrase seals and what counts, by name, and use up no code', async () => {
    const { stdout, stderr, first, second } = await inOneStep(['code', '--all']);
    assert.equal(stdout, `AWS     ${first}\ngithub  ${first}\ngitlab  ${second}\n`);
    assert.equal(
      stderr,
      'notp: hint: not opened by this passphrase: work\nnotp: hint: bank counts its codes, and shows the next one alone: notp code bank\n',
    );
    assert.equal((await own.opening(['code', 'bank'])).stdout, `${codeBy(SECRET, 0, ['--hotp', '--counter=3'])}\n`);
  });

  it('are refused where none opens, with --watch or --copy, with names beside --all, and for a name that is none', async () => {
    const wrong = own.put('wrong', 'not this one\n');
    assertRefused(await own.notp(['code', '--all', '--passphrase-file', wrong]), 1, /this passphrase opens none of them/);
    assertRefused(await own.opening(['code', 'git', '--watch']), 2, /--watch is for one secret, and these are 2 secrets: github, gitlab/);
    assertRefused(await own.opening(['code', '--all', '--copy']), 2, /--copy is for one secret, and these are all secrets/);
    assertRefused(await own.opening(['code', 'github', '--all']), 2, /--all shows every secret/);
    assertRefused(await own.opening(['code', 'github', 'nothing']), 1, /there is no secret \S+\/nothing/);
    assertRefused(await own.opening(['code', 'github', '../ssh']), 2, /"\.\.\/ssh" is not a context name/);
  });

  it('of nobody are none', async () => {
    const { code, stdout, stderr } = await ownCodes('several-none').opening(['code', '--all']);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.match(stderr, /there are no secrets yet/);
  });
});
