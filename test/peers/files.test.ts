/** What lies in place of the files of notp and of the PAM modules beside it, and what a killed login leaves of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { callsOf, runWith, type Call, type Traced } from '../faults/calls.ts';
import { some } from '../faults/tally.ts';
import { sleep } from '../support/process.ts';
import { must, runAs } from '../support/world.ts';
import { compare } from '../trials/trial.ts';
import { ALL, atEach, NEEDS, peersWorld, stack, type Asked, type PeersWorld } from './peers-world.ts';

/** Longer than a login takes that waits for nothing; only then it is looked for what it waits for. */
const PATIENCE_MS = 4000;
const EVIL = '../elsewhere/evil';
const MOMENTS = 6;
const DAY_SECONDS = 86_400;
/** The calls that change a file. */
const CHANGES = new Set(['write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'unlink', 'fchown', 'fchmod']);

describe('the files of notp and of the modules beside it', { skip: NEEDS }, () => {
  let world: PeersWorld;
  before(async () => {
    world = await peersWorld('peers-files');
  });
  beforeEach(() => {
    world.nextDay();
  });

  /** What a login does where `file` is a FIFO that nobody writes to. */
  const waitsFor = async (asked: Asked, file: string): Promise<string> => {
    const [program = '', ...words] = world.login(asked);
    const child = spawn(program, words, { env: { ...process.env, ...world.environment }, stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise<'refused at once'>((resolve, reject) =>
      child.on('close', (code) => {
        if (code === 0) reject(new Error(`${asked} let a FIFO in`));
        else resolve('refused at once');
      }),
    );
    child.stdin.end(`${world.code()}\n`);
    for (let patienceMs = PATIENCE_MS; ; patienceMs = 1000) {
      const outcome = await Promise.race([ended, sleep(patienceMs)]);
      if (outcome !== undefined) return outcome;
      if (!hasReader(file)) continue;
      child.kill('SIGKILL');
      await ended;
      return 'hangs';
    }
  };

  it('that are a FIFO keep nobody waiting', async () => {
    const cells = await atEach(async (asked) => {
      const file = world.files[asked];
      fs.renameSync(file, `${file}.kept`);
      must(['mkfifo', '--mode=600', file]);
      if (asked !== 'oath') fs.chownSync(file, world.user.uid, world.user.gid);
      const outcome = await waitsFor(asked, file);
      fs.renameSync(`${file}.kept`, file);
      assert.equal(await world.lets(asked, world.code()), true, asked);
      return outcome;
    });
    compare({ row: '6', attack: 'a FIFO in place of the file of the person', ...cells });
    assert.equal(cells.notp, 'refused at once');
  });

  it('are not found by a name that the passwd database does not have', async () => {
    const stacks = filesByName(world);
    const cells = await atEach(async (asked) => {
      assert.equal(await world.lets(stacks[asked], world.code()), true, `${asked}: the file of a name that is one`);
      const evil = await world.lets(stacks[asked], world.code(), { user: EVIL });
      // Nobody of that name: the sealed file there, which is somebody else's, was not even looked for.
      if (asked === 'notp') assert.equal(world.pam.lastRecord().uid, undefined);
      return evil ? 'logs in' : 'refused';
    });
    compare({ row: '7', attack: `files under the name of the user, who is called ${EVIL}`, ...cells });
    assert.equal(cells.notp, 'refused');
  });

  /** A login with the code of now. */
  const traced = (asked: Asked): Traced => ({
    command: asked === 'notp' ? [...world.command, 'pam', '--config', world.pam.config] : world.login(asked),
    options: {
      environment: { ...world.environment, PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: world.user.name },
      input: asked === 'notp' ? world.code() : `${world.code()}\n`,
      cwd: '/',
    },
    folders: asked === 'notp' ? ['var', 'log'].map((name) => path.join(world.pam.folder, name)) : [path.dirname(world.files[asked])],
    output: path.join(world.pam.folder, 'trace'),
  });

  /** Whether the owner gets in after a login was killed at `call`, or the day after; undefined where that call did not come. */
  const getsInAfter = async (asked: Asked, call: Call): Promise<boolean | undefined> => {
    world.reset();
    world.wait(60);
    const { hit } = await runWith(traced(asked), call, 'signal=KILL');
    for (const seconds of [60, DAY_SECONDS]) {
      world.wait(seconds);
      if (await world.lets(asked, world.code())) return hit ? true : undefined;
    }
    world.reset();
    assert.equal(await world.lets(asked, world.code()), true, `${asked} without what was left behind`);
    return hit ? false : undefined;
  };

  it('let the owner in after a login that was killed at any moment', async () => {
    const cells = await atEach(async (asked) => {
      const { ran, calls } = await callsOf(traced(asked), { all: true });
      assert.equal(ran.code, 0, ran.stderr);
      const changes = calls.filter(({ name }) => CHANGES.has(name));
      const moments = asked === 'notp' ? some(changes, MOMENTS) : changes;
      const outcomes = [];
      for (const call of moments) outcomes.push(await getsInAfter(asked, call));
      const killed = outcomes.filter((outcome) => outcome !== undefined);
      assert.ok(killed.length > moments.length / 2, `${asked} was killed ${String(killed.length)} times only`);
      const shut = killed.filter((getsIn) => !getsIn).length;
      return shut === 0 ? 'in' : `kept out for ever (${String(shut)} of ${String(killed.length)} moments)`;
    });
    compare({ row: '9', attack: 'kill -9 while a login changes its files: the owner, after that', ...cells });
    assert.equal(cells.notp, 'in');
  });

  it('tell a process of the user no secret', async () => {
    const { files, enrolled } = world;
    const hex = /^\S+ \S+ - (\w+)$/m.exec(fs.readFileSync(files.oath, 'utf8'))?.[1] ?? '';
    assert.match(hex, /^[0-9a-f]{40}$/);
    const own = ['etc', 'var', 'log'].map((name) => path.join(world.pam.folder, name));
    const places = { google: [files.google], oath: [files.oath], notp: [path.dirname(files.notp), ...own] };
    const cells = await atEach(async (asked) => {
      const search = ['grep', '-rliE', `${enrolled.secret}|${hex}`, ...places[asked]];
      if ((await runAs(world.user, search)).code === 0) return 'reads it in plain text';
      return (await runAs({ ...world.user, uid: 0, gid: 0 }, search)).code === 0 ? 'no; root reads plain text' : 'no; sealed';
    });
    compare({ row: '12a', attack: 'a process of the user looks for the secret', ...cells });
    assert.equal(cells.notp, 'no; sealed');
  });

  it('of before a login make no code usable again', async () => {
    const cells = await atEach(async (asked) => {
      const [file, kept] = [world.files[asked], path.join(world.user.home, `kept-${asked}`)];
      const copied = await runAs(world.user, ['cp', '-a', file, kept]);
      if (asked !== 'oath') assert.equal(copied.code, 0, copied.stderr);
      const code = world.code();
      assert.equal(await world.lets(asked, code), true);
      assert.equal(await world.lets(asked, code), false);
      await runAs(world.user, ['cp', '-a', '--remove-destination', kept, file]);
      return (await world.lets(asked, code)) ? 'logs in' : 'refused';
    });
    compare({ row: '12b', attack: 'a process of the user puts back the file of before a login, and types its code again', ...cells });
    assert.equal(cells.notp, 'refused');
  });
});

/** open(2) of a FIFO for writing fails where nobody has it open, or waits for it, for reading. */
function hasReader(file: string): boolean {
  try {
    fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/** PAM services that look for files in a folder under the name of the user; there is one of the person, and one where EVIL leads to. */
function filesByName({ pam, user, files, notpLine }: PeersWorld): Record<Asked, string> {
  const folder = path.join(pam.folder, 'by-name');
  const place = (asked: Asked, name: string): string => path.join(folder, asked, 'files', name);
  for (const asked of ALL) {
    for (const name of [user.name, EVIL]) {
      must(['mkdir', '-p', path.dirname(place(asked, name))]);
      must(['cp', '-a', asked === 'notp' ? path.dirname(files.notp) : files[asked], place(asked, name)]);
      if (asked === 'google') fs.chownSync(place(asked, name), 0, 0);
    }
  }
  fs.writeFileSync(place('oath', EVIL), fs.readFileSync(files.oath, 'utf8').replace(user.name, EVIL));
  const config = path.join(folder, 'notp.toml');
  fs.writeFileSync(config, `secrets = "${folder}/notp/files/%u"\n${fs.readFileSync(pam.config, 'utf8')}`);
  return {
    notp: stack(notpLine(config)),
    google: stack(`auth required pam_google_authenticator.so user=root secret=${folder}/google/files/\${USER}`),
    oath: stack(`auth required pam_oath.so usersfile=${folder}/oath/files/\${USER} window=3`),
  };
}
