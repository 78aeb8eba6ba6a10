/** A run that stands still while it has its lock, so that a second one meets it however fast or slow the machine is. */
import type { Container } from '../../support/container.ts';

/** notp's processes inside, by the first word of their command lines. */
const OURS = "$(pgrep -f '^(/usr/bin/)?notp')";

/** To be called before the run begins: resolves when it has taken the lock `name` and was stopped (SIGSTOP). */
export async function frozen(container: Container, name: string): Promise<void> {
  await container.must(['sh', '-c', `until grep -q ' @${name}$' /proc/net/unix; do sleep 0.02; done; kill -STOP ${OURS}`]);
}

export async function thaw(container: Container): Promise<void> {
  await container.must(['sh', '-c', `kill -CONT ${OURS}`]);
}
