/** Servers beside the checked sshds are known by how they greet, whatever they are called. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { settled } from '../../../src/doctor/finding.ts';
import { examineBeside } from '../../../src/doctor/host/beside.ts';
import { atEnd } from '../../support/cleanup.ts';
import { lacks } from '../../support/world.ts';

/** Listens on ports of its own, one for each greeting, and prints them. */
const SERVER = `import socket, sys, threading
held = []
def serve(s, text):
  while True:
    c, _ = s.accept()
    c.sendall(text.encode())
    held.append(c) if text else c.close()
for family, text in ((socket.AF_INET, 'SSH-2.0-other\\r\\n'), (socket.AF_INET, '220 mail\\r\\n'), (socket.AF_INET, ''), (socket.AF_INET6, 'SSH-2.0-six\\r\\n')):
  s = socket.socket(family)
  s.bind(('127.0.0.1' if family == socket.AF_INET else '::1', 0))
  s.listen()
  threading.Thread(target=serve, args=(s, text), daemon=True).start()
  print(s.getsockname()[1], flush=True)
sys.stdin.read()
`;

/** The pid of a program of Python that prints something once it listens. */
async function listening(code: string, ids = {}): Promise<number> {
  const child = spawn('python3', ['-c', code], { stdio: ['pipe', 'pipe', 'inherit'], ...ids });
  atEnd(() => void child.stdin.end());
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

describe('a server beside the checked ones', { skip: lacks({ root: true, programs: ['python3'] }) }, () => {
  it('that greets as SSH does is named with its port: dropbear, or an sshd under another name, let a key in alone', async () => {
    const child = spawn('python3', ['-c', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    atEnd(() => void child.stdin.end());
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += String(chunk);
      if (printed.split('\n').length > 4) break;
    }
    const ports = printed.trim().split('\n');
    const pid = child.pid ?? 0;
    const told = async (known: readonly number[]): Promise<string[]> =>
      (await examineBeside(known))
        .map(settled)
        .flatMap(({ id, detail }) => (id === 'beside-ssh' && detail.includes(`pid ${String(pid)}`) ? [detail] : []));
    const found = await told([]);
    assert.deepEqual(
      found.map((detail) => /on port (\d+)$/.exec(detail)?.[1]),
      [ports[0], ports[3]],
    );
    assert.deepEqual(await told([pid]), []);
  });

  it('is found behind the many sockets of a user, who hid it with 64 of them', async () => {
    const many =
      'import socket, sys\nheld = [socket.create_server(("127.0.0.1", 0)) for _ in range(64)]\nprint("ready", flush=True)\nsys.stdin.read()';
    await listening(many, { uid: 65_534, gid: 65_534 });
    const server = await listening(SERVER);
    const found = (await examineBeside([])).map(settled).map(({ detail }) => detail);
    assert.ok(
      found.some((detail) => detail.includes(`pid ${String(server)}`)),
      found.join('\n'),
    );
  });
});
