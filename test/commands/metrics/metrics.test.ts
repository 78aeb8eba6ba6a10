/** `notp metrics` on a host with one user: what it prints and writes, where it refuses to write, and what Prometheus makes of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { atEnd } from '../../support/cleanup.ts';
import { run, sleep, type Ran, type RunOptions } from '../../support/process.ts';
import { LONG } from '../../trials/trial.ts';
import { builtNotp, lacks, must, nodeVariables, SOURCE_NOTP, type Enrolled } from '../../support/world.ts';
import { screensWorld, type ScreensWorld } from '../../terminal/screens-world.ts';

const ALICE = '64002';
const FILE = '/srv/metrics/notp.prom';
const PATIENCE_MS = 30_000;

/** The value of one sample. */
const valueOf = (text: string, sample: string): number | undefined => {
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

describe('notp metrics', { skip: lacks({ root: true, programs: ['unshare'] }) }, () => {
  let world: ScreensWorld;
  let alice: Enrolled;

  before(() => {
    world = screensWorld('metrics');
    for (const name of ['var', 'srv/metrics']) fs.mkdirSync(path.join(world.folder, name), { mode: 0o755 });
    alice = JSON.parse(must([`${world.bin}/notp-enroll`, 'alice', '--no-confirm', '--json'])) as Enrolled;
  });

  const inside = (file: string): string => path.join(world.folder, file);
  /** Nothing of it comes into this machine's own /var/lib. */
  const notp = (words: readonly string[], options?: RunOptions): Promise<Ran> => {
    const mounts = ['etc /etc', 'srv /srv', 'var /var/lib'].map((each) => `mount --bind ${world.folder}/${each}`);
    // What is tested here runs from its sources, so that it counts as covered.
    const program = words[0] === 'metrics' ? SOURCE_NOTP.join(' ') : builtNotp();
    const script = `${mounts.join(' && ')} && exec ${program} "$@"`;
    return run(['unshare', '--mount', 'sh', '-c', script, 'sh', ...words], {
      environment: { PATH: process.env['PATH'], ...nodeVariables() },
      clearEnvironment: true,
      ...options,
    });
  };
  const metrics = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await notp(['metrics', ...words]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    return stdout;
  };
  const verify = (code: string): Promise<Ran> => notp(['verify', '--user', 'alice', '--code-stdin'], { input: `${code}\n` });
  const ACCEPTED = 'notp_decisions_total{door="cli",result="accepted",method="recovery"}';
  const WRONG = 'notp_decisions_total{door="cli",result="refused",reason="wrong_code"}';

  it('prints what was decided and who is enrolled, each decision once', async () => {
    const first = await metrics();
    assert.match(first, /# EOF\n$/);
    const enrolled = ['notp_enrolments{status="active"}', 'notp_enrolments_never_used', 'notp_accounts_budget_empty'];
    assert.deepEqual(
      [ACCEPTED, WRONG, ...enrolled].map((sample) => valueOf(first, sample)),
      [0, 0, 1, 1, 0],
    );
    assert.equal((await verify(alice.recovery[0] ?? '')).code, 0);
    for (let i = 0; i < 6; i++) assert.equal((await verify('000000')).code, 1);
    for (let i = 0; i < 2; i++) {
      const text = await metrics();
      assert.deepEqual(
        [ACCEPTED, WRONG, ...enrolled].map((sample) => valueOf(text, sample)),
        [1, 5, 1, 0, 1],
      );
      assert.equal(valueOf(text, 'notp_decisions_total{door="cli",result="refused",reason="step_up_required"}'), 1);
      assert.equal(valueOf(text, 'notp_changes_total{event="recovery.used"}'), 1);
      assert.equal(valueOf(text, 'notp_changes_total{event="enroll"}'), 1);
      for (const part of ['log', 'store', 'outage', 'doctor', 'keys']) assert.equal(valueOf(text, `notp_up{part="${part}"}`), 1);
      assert.equal(valueOf(text, 'notp_doctor_last_run_timestamp_seconds'), 0);
      const keyAge = Date.now() / 1000 - (valueOf(text, 'notp_host_key_changed_timestamp_seconds{file="host.key"}') ?? 0);
      assert.ok(keyAge >= 0 && keyAge < 600, String(keyAge));
      const latency = valueOf(text, 'notp_store_latency_seconds') ?? 0;
      assert.ok(latency > 0 && latency < 30, String(latency));
    }
  });

  it('counts right where several run at once', async () => {
    const texts = await Promise.all([1, 2, 3].map(() => metrics()));
    for (const text of texts) assert.equal(valueOf(text, WRONG), 5);
  });

  it('holds no name of a user, no address and no secret', async () => {
    const text = await metrics();
    const { secret, id, recovery } = alice;
    for (const each of ['alice', ALICE, secret, id, ...recovery]) assert.ok(!text.includes(each), each);
  });

  it('writes a file that all can read, and leaves nothing else', async () => {
    assert.equal(await metrics('--textfile', FILE), '');
    const { mode, uid } = fs.statSync(inside(FILE));
    assert.deepEqual([mode & 0o7777, uid], [0o644, 0]);
    assert.deepEqual(fs.readdirSync(inside('/srv/metrics')), ['notp.prom']);
    assert.equal(valueOf(fs.readFileSync(inside(FILE), 'utf8'), WRONG), 5);
    const kept = fs.statSync(inside('/var/notp-metrics/counters'));
    assert.deepEqual([kept.mode & 0o7777, kept.uid], [0o600, 0]);
  });

  it('writes nothing where somebody else could change what root writes, or where nobody would read it', async () => {
    const cases: readonly (readonly [file: string, make: string, said: RegExp])[] = [
      ['/srv/theirs/notp.prom', `mkdir theirs; chown ${ALICE} theirs`, /theirs belongs to somebody else/],
      ['/srv/open/notp.prom', 'mkdir -m 777 open', /open can be written by others/],
      ['/srv/theirs/deeper/notp.prom', 'mkdir theirs/deeper', /theirs belongs to somebody else/],
      ['/srv/link/notp.prom', `ln -s /srv/metrics link; chown -h ${ALICE} link`, /link is a symlink of somebody else/],
      ['/srv/nowhere/notp.prom', 'true', /no such folder/],
      ['/srv/metrics/notp.txt', 'true', /must end in \.prom/],
    ];
    const earlier = fs.readFileSync(inside(FILE), 'utf8');
    for (const [file, make, said] of cases) {
      must(['sh', '-c', `cd ${inside('srv')} && ${make}`]);
      const { code, stdout, stderr } = await notp(['metrics', '--textfile', file]);
      assert.deepEqual([stdout, code === 2 || code === 3], ['', true], `${file}: ${String(code)}`);
      assert.match(stderr, said);
    }
    assert.deepEqual(fs.readdirSync(inside('/srv/open')), []);
    assert.equal(fs.readFileSync(inside(FILE), 'utf8'), earlier);
  });

  it('goes on without a part that cannot be read, and says which', async () => {
    const [state, moved] = [inside('/srv/notp/state.db'), inside('/srv/notp/moved')];
    fs.renameSync(state, moved);
    fs.writeFileSync(state, 'not a database', { mode: 0o600 });
    fs.chownSync(state, 64001, 64001);
    const { code, stdout, stderr } = await notp(['metrics']);
    fs.renameSync(moved, state);
    assert.equal(code, 3);
    assert.match(stderr, /^notp: error: store: /);
    assert.deepEqual(
      ['notp_up{part="store"}', 'notp_up{part="log"}', WRONG].map((sample) => valueOf(stdout, sample)),
      [0, 1, 5],
    );
    assert.doesNotMatch(stdout, /notp_enrolments|notp_store_latency/);
  });

  it('does not call a part well that is away: the store of a log, the folder of the log, a host key', async () => {
    const parts = ['log', 'store', 'outage', 'doctor', 'keys'];
    const elsewhere = fs.readFileSync(inside('etc/notp/notp.toml'), 'utf8').replace('/srv/notp/audit.log', '/srv/unmounted/audit.log');
    fs.writeFileSync(inside('etc/notp/elsewhere.toml'), elsewhere, { mode: 0o644 });
    for (const [part, away, words] of [
      ['store', 'srv/notp/state.db', []],
      ['keys', 'etc/notp/host.key', []],
      ['log', 'srv/unmounted', ['--config', '/etc/notp/elsewhere.toml']],
    ] as const) {
      const isThere = fs.existsSync(inside(away));
      if (isThere) fs.renameSync(inside(away), inside(`${away}.away`));
      const { code, stdout, stderr } = await notp(['metrics', ...words]);
      if (isThere) fs.renameSync(inside(`${away}.away`), inside(away));
      assert.equal(code, 3, part);
      assert.match(stderr, new RegExp(`^notp: error: ${part}: .*no such file[^\\n]*\\n$`));
      const down = parts.filter((each) => valueOf(stdout, `notp_up{part="${each}"}`) !== 1);
      assert.deepEqual(down, [part]);
    }
  });

  it('does not take a host for a new one where store and log are away', async () => {
    const places = ['srv/notp/state.db', 'srv/notp/audit.log'].map(inside);
    for (const each of places) fs.renameSync(each, `${each}.away`);
    const { code, stdout } = await notp(['metrics']);
    for (const each of places) fs.renameSync(`${each}.away`, each);
    assert.deepEqual([code, valueOf(stdout, 'notp_up{part="store"}')], [3, 0]);
    // Without the counts, nothing says that there were any.
    fs.renameSync(inside('var/notp-metrics/counters'), inside('var/counters'));
    for (const each of places) fs.renameSync(each, `${each}.away`);
    assert.equal(valueOf(await metrics(), 'notp_up{part="store"}'), 1);
    for (const each of places) fs.renameSync(`${each}.away`, each);
    fs.renameSync(inside('var/counters'), inside('var/notp-metrics/counters'));
  });

  it('does not call a new store well beside the log of an earlier one', async () => {
    const [state, moved] = [inside('/srv/notp/state.db'), inside('/srv/notp/moved')];
    fs.renameSync(state, moved);
    assert.notEqual((await notp(['enroll', '--user', 'alice', '--no-confirm', '--replace'])).code, 0);
    assert.ok(fs.existsSync(state));
    const { code, stdout, stderr } = await notp(['metrics']);
    fs.renameSync(moved, state);
    assert.equal(code, 3);
    assert.match(stderr, /^notp: error: store: the store knows no record of \/srv\/notp\/audit\.log/);
    assert.equal(valueOf(stdout, 'notp_up{part="store"}'), 0);
  });

  it('begins again with the log that is there where its counts are damaged', async () => {
    fs.writeFileSync(inside('/var/notp-metrics/counters'), 'x', { mode: 0o600 });
    const { code, stdout, stderr } = await notp(['metrics']);
    assert.equal(code, 0);
    assert.match(stderr, /the counts of the last run cannot be read: .*\n.*they begin again/);
    assert.equal(valueOf(stdout, WRONG), 5);
    assert.equal(valueOf(await metrics(), WRONG), 5);
  });

  // Prometheus takes 100 MB: only the long run has it installed.
  if (LONG || fs.existsSync('/usr/bin/prometheus'))
    describe('for Prometheus', () => {
      it('is text without a fault', async () => {
        await metrics('--textfile', FILE);
        const { code, stdout, stderr } = await run(['promtool', 'check', 'metrics'], { input: fs.readFileSync(inside(FILE)) });
        assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
      });

      it('comes by node_exporter and as OpenMetrics, with the same numbers', async () => {
        await metrics('--textfile', FILE);
        const openMetrics = await metrics();
        const server = createServer((_, response) => {
          response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
          response.end(openMetrics);
        });
        const direct = await listening(server);
        atEnd(() => void server.close());
        // As where the folder of the collector is not root's alone.
        fs.mkdirSync(inside('linked'));
        fs.symlinkSync(inside(FILE), inside('linked/notp.prom'));
        const ports = await freePorts(2);
        const [exporter, prometheus] = ports.map((port) => `127.0.0.1:${String(port)}`);
        start('prometheus-node-exporter', [
          '--collector.disable-defaults',
          '--collector.textfile',
          `--collector.textfile.directory=${inside('linked')}`,
          `--web.listen-address=${String(exporter)}`,
        ]);
        const jobs = { exporter, direct: `127.0.0.1:${String(direct)}` };
        const jobLines = Object.entries(jobs).map(
          ([job, target]) => `  - job_name: ${job}\n    static_configs: [{ targets: ['${String(target)}'] }]\n`,
        );
        fs.writeFileSync(inside('prometheus.yml'), `global: { scrape_interval: 1s }\nscrape_configs:\n${jobLines.join('')}`);
        start('prometheus', [
          `--config.file=${inside('prometheus.yml')}`,
          `--storage.tsdb.path=${inside('tsdb')}`,
          `--web.listen-address=${String(prometheus)}`,
        ]);
        const ask = async (query: string): Promise<Record<string, string>> => {
          const answer = await fetch(`http://${String(prometheus)}/api/v1/query?query=${encodeURIComponent(query)}`);
          const { data } = (await answer.json()) as { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
          return Object.fromEntries(data.result.map(({ metric, value }) => [metric['job'] ?? '', value[1]]));
        };
        let found = {};
        for (const deadline = Date.now() + PATIENCE_MS; Object.keys(found).length < 2 && Date.now() < deadline; await sleep(200)) {
          found = await ask('sum by (job) (notp_decisions_total{reason="wrong_code"})').catch(() => ({}));
        }
        assert.deepEqual(found, { exporter: '5', direct: '5' });
        assert.deepEqual(await ask('notp_enrolments{status="active"}'), { exporter: '1', direct: '1' });
        assert.deepEqual(await ask('node_textfile_scrape_error'), { exporter: '0' });
      });
    });
});

/** Ended by its pid when the file ends. */
function start(program: string, words: readonly string[]): void {
  const child = spawn(program, words, { stdio: 'ignore' });
  atEnd(async () => {
    const over = new Promise((resolve) => child.once('exit', resolve));
    if (child.kill()) await over;
  });
}

/** The port on which it listens now. */
async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map(listening));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
