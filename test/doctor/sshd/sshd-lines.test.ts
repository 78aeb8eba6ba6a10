/** Lines of sshd_config in every spelling that a real sshd obeys: whom it treats otherwise, doctor asks about. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { groupAlike } from '../../../src/doctor/people.ts';
import { readSshdFiles } from '../../../src/doctor/sshd/files.ts';
import { userByName } from '../../../src/system/users.ts';
import { run } from '../../support/process.ts';
import { detailOf, NEEDS, SSHD, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

const BLOCK = 'Match Group games\n ForceCommand none\n';
const MATCHES = [
  'Match Group games',
  '\tMatch\tGroup\tgames',
  'Match Group=games',
  'Match=Group games',
  'Match Group "games"',
  "Match Group 'games'",
  '"Match" Group games',
  String.raw`Match Group ga\mes`,
  'Match group g[a]mes',
  'Match Group\r games',
  'Match Group games\r',
  'Match Group games # c',
  'Match Group "games" User games',
  'Match User ga"mes"',
  'Match User "ga"mes',
  'Match Group games,x,"y"',
  'Match User !root,*',
  'Match User *,!root',
  '\fMatch Group games',
  'Match Group\fgames',
  'Match\vGroup games',
  'Match , Group games',
  'Match User games Address *',
  'Match "User" games',
  'Match User =games',
  'Match User= games',
  String.raw`Match User "ga\"mes",games`,
  'Match User ga"m"es',
  "Match User 'games',games",
  'Match Group \0x\ngames',
];
/** `D`: a folder with files that hold the block. */
const INCLUDES = [
  'Include D/inc.conf',
  'Include "D/inc.conf"',
  "Include 'D/inc.conf'",
  'Include "D/a b/inc.conf"',
  "Include 'D/a b/inc.conf'",
  String.raw`Include D/a\ b/inc.conf`,
  'Include D/nope D/inc.conf',
  'Include=D/inc.conf',
  '"Include" D/inc.conf',
  'Include D/in[c].conf',
  'Include D/in[[:alpha:]].conf',
  'Include D/in[a-c].conf',
  'Include D/in{c}.conf',
  'Include D/in{c,d}.conf',
  String.raw`Include D/in\c.conf`,
  String.raw`Include D/in\\c.conf`,
  'Include D/*hid.conf',
  'Include D/.h*.conf',
  'Include D/"inc.conf"',
  'Include D/inc"."conf',
  'Include D/#x.conf',
  'Include D/in?.conf',
  'Include D/[!x]nc.conf',
  'Include D/[^x]nc.conf',
  'Include D//./inc.conf',
  'Include ../..D/inc.conf',
  String.raw`Include "D/in\"c.conf" D/inc.conf`,
  'Include "D/nope" "D/inc.conf"',
  'Include D/*/inc.conf',
  'Include D/e=q.conf',
  'Include \0/*\nD/inc.conf',
];

describe('lines of sshd_config', { skip: NEEDS }, () => {
  let world: SshdWorld;
  before(() => {
    world = sshdWorld();
    for (const folder of ['a b']) fs.mkdirSync(path.join(world.folder, folder));
    for (const file of ['inc.conf', 'a b/inc.conf', 'in{c}.conf', '.hid.conf', '#x.conf', 'e=q.conf'])
      fs.writeFileSync(path.join(world.folder, file), BLOCK);
  });

  it('that sshd obeys are never read past: a group without the gate was not seen', async () => {
    const people = ['root', 'games'].flatMap((name) => userByName(name) ?? []).map((user) => ({ user, enrolments: [] }));
    let told = 0;
    for (const line of [...MATCHES.map((match) => `${match}\n ForceCommand none\n`), ...INCLUDES]) {
      const file = world.write(['ForceCommand /usr/bin/notp gate', line.replaceAll('D/', `${world.folder}/`)]);
      const [games, root] = [await forced(file, 'games'), await forced(file, 'root')];
      if (games === root) continue;
      told++;
      assert.equal(groupAlike(people, readSshdFiles(file).criteria).length, 2, line);
    }
    assert.ok(told > 40, String(told));
  });

  it('that include nothing, with quotes or backslashes in them, are named, for another version may find something', async () => {
    for (const line of ["Include '/etc/ssh/no-such'", String.raw`Include /etc/ssh/no\-such`, 'Include /etc/ssh/no-such']) {
      const { findings } = await world.examine(world.write([line], 'gate'));
      assert.deepEqual(wrong(findings), line.endsWith('/no-such') ? [] : ['FC14'], line);
      if (!line.endsWith('/no-such')) assert.ok(detailOf(findings, 'FC14').endsWith(line), detailOf(findings, 'FC14'));
    }
  });
});

async function forced(file: string, user: string): Promise<string | undefined> {
  const asked = `user=${user},host=a,addr=203.0.113.7,laddr=192.0.2.1,lport=22`;
  const { code, stdout } = await run([SSHD, '-f', file, '-T', '-C', asked]);
  return code === 0 ? /^forcecommand (.*)$/m.exec(stdout)?.[1] : undefined;
}
