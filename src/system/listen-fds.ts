/** The descriptors that systemd hands over: sd_listen_fds_with_names(3). */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** SD_LISTEN_FDS_START. */
const FIRST_FD = 3;

/** The descriptor with this name; undefined if this process was given none. */
export function inheritedFd(name: string, environment: NodeJS.ProcessEnv = process.env): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDNAMES: names } = environment;
  const index = pid === String(process.pid) ? (names ?? '').split(':').indexOf(name) : -1;
  return index === -1 ? undefined : FIRST_FD + index;
}

/** The only descriptor, whatever its name, or of several the one called `name`; undefined if this process was given none. */
export function onlyOrNamedFd(name: string, environment: NodeJS.ProcessEnv): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment;
  if (pid !== String(process.pid)) return undefined;
  return count === '1' ? FIRST_FD : inheritedFd(name, environment);
}

const DD = '/usr/bin/dd';
/** open(2), as /proc/PID/fdinfo/FD has it: proc_pid_fdinfo(5). */
const O_NONBLOCK = 0o4000;

/**
 * Has writes to `fd` fail where they would wait, for all who have it: O_NONBLOCK of fcntl(2). Node.js has no call for that, and dd(1) sets it for
 * its input. False where the descriptor waits after all.
 */
export function isMadeNonBlocking(fd: number): boolean {
  if (isNonBlocking(fd)) return true;
  spawnSync(DD, ['iflag=nonblock', 'count=0'], { stdio: [fd, 'ignore', 'ignore'], env: {} });
  return isNonBlocking(fd);
}

function isNonBlocking(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
}
