/** Allows one run at a time, by a lock that the kernel releases however its holder ends, including kill -9 and a power failure. */
import { createServer } from 'node:net';
import { errnoOf } from '../error.ts';

/**
 * Takes the lock `name` for the life of this process; gives false where another process holds it. The lock is an abstract socket
 * (unix(7)): any user could take the name, which only stops a command, and ss(8) shows it.
 */
export function takeLock(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const lock = createServer((connection) => connection.destroy());
    lock.on('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    lock.listen({ path: `\0${name}` }, () => {
      lock.unref();
      resolve(true);
    });
  });
}
