/** A service that is started, asked once and stopped, as a command whose calls can be hurt. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { asked, code, questionFor, startService, type Service } from '../doors/serve-world.ts';
import type { Ran } from '../support/process.ts';
import type { Traced } from './calls.ts';
import type { FaultWorld } from './world.ts';

/** LISTEN_PID of sd_listen_fds(3) is that of the process itself, which strace has made. */
const AS_THE_ONE_STARTED = 'LISTEN_PID=$$ exec "$@"';

/** Exit code 0 where the service accepts `typed`; on stdout what it says to it, which is "closed" where it dies before. */
export function askedOfService(world: FaultWorld, typed: string): Traced {
  const { pam, user, enrolled } = world;
  const [node = '', ...words] = world.traced(['serve', String(user.uid)]).command;
  const start = async (all: readonly string[]): Promise<Ran> => {
    const service = await startService({ socket: path.join(pam.folder, 'asked.sock'), service: pam.service, words: all, uid: user.uid });
    const said = await asked(service, questionFor(enrolled.file, code(typed)));
    await stop(service);
    return { code: said === 'totp' ? 0 : 1, signal: null, stdout: `${said}\n`, stderr: service.stderr() };
  };
  // The service writes no code into memory, see bin/notp.
  const service = [node, '--jitless', ...words];
  return {
    ...world.traced([]),
    command: ['/bin/sh', '-c', AS_THE_ONE_STARTED, 'sh', ...service],
    output: path.join(pam.folder, 'var/trace'),
    start,
  };
}

/** The signal is for the service and not for strace, which is the process that was started, where it stands before it. */
async function stop({ child, exited }: Service): Promise<void> {
  const pid = child.pid ?? 0;
  try {
    const below = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'latin1').trim();
    process.kill(below === '' ? pid : Number(below), 'SIGTERM');
  } catch {
    // It is gone already.
  }
  await exited;
}
