/** One decision without ssh around it: at PAM beside the other modules, alone beside Node.js, and by the service. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { codeLine, succeed } from '../doors/pam-world.ts';
import { code, questionFor, startService } from '../doors/serve-world.ts';
import { sleep } from '../support/process.ts';
import { medianOf, sideBySide, timeRows, type Chapter } from './measure.ts';
import { asPam, pamVariables, stackOf, type Asked, type Place } from './place.ts';

const NODE = 'node -e 0';
const DECISION = 'notp pam';

/** `notp pam` and what it is made of, as processes. */
export async function alone(place: Place, rounds: number): Promise<Chapter> {
  const { notp, config, user } = place;
  const node = process.execPath;
  const measured = await sideBySide(
    [
      { name: NODE, once: async () => await succeed([node, '-e', '0']) },
      { name: 'node --jitless -e 0', once: async () => await succeed([node, '--jitless', '-e', '0']) },
      { name: 'notp --version', once: async () => await succeed([notp, '--version']) },
      {
        name: 'notp pam --first-pass',
        once: async () => await succeed([notp, 'pam', '--first-pass', '--config', config], { environment: pamVariables(user) }),
      },
      { name: DECISION, once: async () => await asPam(place, config, place.code('notp')) },
    ],
    rounds,
  );
  const privateMb = await privateMegabytes(place);
  return {
    title: 'The checker alone',
    text: `The executable as pam_exec starts it, with a right code for a host-sealed secret, in milliseconds, ${String(rounds)} of each in turn. From one row to the next: without a JIT compiler; with the program and its code cache; with the option parsed; with configuration, user, sealed file, key, state, decision, record, and six flushed writes, which are a few milliseconds. What is above the target is JavaScript that each process compiles and interprets anew: there is no JIT compiler, as no memory may be both writable and executable, and Node.js has its modules for sockets, SQLite and cryptography neither in its snapshot nor in the code cache. A start-up snapshot of the whole program might take it away; that was not tried. Private memory is what the process has for itself alone (Private_Dirty in /proc/PID/smaps_rollup), the most that was seen in a decision.`,
    columns: ['process', 'median', 'quartiles', `to ${NODE}`],
    rows: timeRows(measured, NODE),
    targets: [
      { what: `notp pam to ${NODE}`, most: 1.4, measured: medianOf(measured, DECISION) / medianOf(measured, NODE) },
      { what: 'private memory of one check', most: 40, measured: privateMb, unit: ' MB' },
    ],
  };
}

/** The most private memory that one decision was seen to have, in MB. */
async function privateMegabytes(place: Place): Promise<number> {
  const { notp, config, user } = place;
  let most = 0;
  for (let i = 0; i < 5; i++) {
    const child = spawn(notp, ['pam', '--config', config], { env: pamVariables(user), stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
    const state = { over: false };
    child.on('exit', () => (state.over = true));
    await sleep(300);
    child.stdin.end(place.code('notp'));
    for (; !state.over; await sleep(1)) {
      most = Math.max(most, privateKilobytes(child.pid ?? 0));
    }
  }
  return most / 1000;
}

function privateKilobytes(pid: number): number {
  try {
    return Number(/^Private_Dirty:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    // It has just ended.
    return 0;
  }
}

/** A stack in pamtester(1). */
export async function underPam(place: Place, rounds: number): Promise<Chapter> {
  const { user, stacks } = place;
  const asks = (name: string, line: string, answer: () => string): { name: string; once: () => Promise<string> } => {
    const service = stackOf(line);
    return { name, once: async () => await succeed(['pamtester', service, user.name, 'authenticate'], { input: `${answer()}\n` }) };
  };
  const module = (name: string, asked: Asked): ReturnType<typeof asks> => asks(name, stacks[asked], () => place.code(asked));
  const base = 'pam_google_authenticator';
  const measured = await sideBySide(
    [
      module(base, 'google-authenticator'),
      module('pam_oath', 'oath'),
      asks('pam_exec with true', codeLine('/bin/true'), () => 'x'),
      asks('pam_exec with node -e 0', codeLine(`${process.execPath} -e 0`), () => 'x'),
      module('notp pam', 'notp'),
    ],
    rounds,
  );
  return {
    title: 'Under PAM',
    text: `\`pamtester SERVICE USER authenticate\` with a right code, in milliseconds, ${String(rounds)} of each in turn. The modules are code in the process that asks; pam_exec starts a process.`,
    columns: ['module', 'median', 'quartiles', `to ${base}`],
    rows: timeRows(measured, base),
  };
}

/** A question to the service: one that is there already, and one that has to be started for it. */
export async function byService(place: Place, rounds: number): Promise<Chapter> {
  const { folder, notp, config, user, service } = place;
  const words = [notp, 'serve', String(user.uid), '--config', config];
  const ask = async (socket: string): Promise<void> => {
    const answer = await answerOf(socket, questionFor(`${user.home}/.notp/ssh`, code(place.code('notp'))));
    if (!answer.includes('"accepted"')) throw new Error(answer);
  };
  const warm = await startService({ service, uid: user.uid, socket: `${folder}/run/warm.sock`, words });
  await ask(warm.socket);
  const cold = `${folder}/run/cold.sock`;
  // Waits for a connection, and becomes the service then, as systemd starts one.
  const waiting = async (): Promise<void> => {
    fs.rmSync(cold, { force: true });
    const become = ['setpriv', `--reuid=${String(service.uid)}`, `--regid=${String(service.gid)}`, '--clear-groups'];
    spawn(become[0] ?? '', [...become.slice(1), 'systemd-socket-activate', '-l', cold, ...words], { stdio: 'ignore', cwd: '/' });
    while (!fs.existsSync(cold)) await sleep(10);
    await sleep(50);
  };
  const name = 'warm service';
  const measured = await sideBySide(
    [
      { name, once: async () => await ask(warm.socket) },
      { name: 'cold service', prepare: waiting, once: async () => await ask(cold) },
      { name: DECISION, once: async () => await asPam(place, config, place.code('notp')) },
    ],
    Math.min(rounds, 12),
  );
  warm.child.kill();
  return {
    title: 'Warm and cold service',
    text: 'One question with a right code over the socket, in milliseconds: to a service that is there, to one that is started by the connection (while the person types, at a login), and a process of notp pam for comparison. Outside of its sandbox, which takes systemd some time more to set up.',
    columns: ['question', 'median', 'quartiles', `to ${name}`],
    rows: timeRows(measured, name),
  };
}

function answerOf(socket: string, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect(socket, () => connection.write(question));
    connection.on('data', (chunk: Buffer) => {
      answer += chunk.toString('utf8');
      if (answer.includes('\n')) connection.destroy();
    });
    connection.on('error', reject);
    connection.on('close', () => {
      resolve(answer);
    });
  });
}
