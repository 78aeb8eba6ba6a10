/** The descriptors that systemd hands over: sd_listen_fds_with_names(3). */

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
