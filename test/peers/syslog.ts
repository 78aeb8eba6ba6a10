/** A syslog of its own for a program: a datagram socket that stands at /dev/log in the program's mount namespace. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from '../support/cleanup.ts';
import { sleep } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';

export interface Syslog {
  /** The words of `command` with its syslog here. */
  around(command: readonly string[]): string[];
  /** The lines since the last time, without priority, time and process, once one of them matches `awaited`. */
  lines(awaited: RegExp): Promise<string[]>;
}

/** Node.js has no datagram sockets of Unix. */
const LISTENER = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
while True: print(listener.recv(65536).decode(errors='replace'), flush=True)
`;

/** An overlay, for there may be no /dev/log to mount over. */
const AROUND = `mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" &&
mount -t overlay -o "lowerdir=/dev,upperdir=$1/upper,workdir=$1/work" none /dev && rm -f /dev/log && touch /dev/log &&
mount --bind "$2" /dev/log && shift 2 && exec "$@"`;

export async function startSyslog(): Promise<Syslog> {
  const folder = scratchFolder('syslog');
  const [socket, own] = [path.join(folder, 'log'), path.join(folder, 'dev')];
  fs.mkdirSync(own);
  const child = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  atEnd(async () => {
    child.kill();
    await gone;
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  while (!fs.existsSync(socket)) await sleep(20);
  return {
    around: (command) => ['unshare', '--mount', 'sh', '-c', AROUND, 'sh', own, socket, ...command],
    lines: async (awaited) => {
      for (const deadline = Date.now() + 20_000; !awaited.test(text) && Date.now() < deadline; await sleep(20));
      const lines = text.split('\n').filter((line) => line !== '');
      text = '';
      return lines.map((line) => line.replace(/^<\d+>\w+ +\d+ [\d:]+ /, '').replaceAll(/\[\d+\]/g, ''));
    },
  };
}
