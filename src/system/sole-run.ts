/** One run at a time: a lock that the kernel lets go of however its holder ends, kill -9 and power failure included. */
import { createServer } from 'node:net';
import { errnoOf } from '../error.ts';

/**
 * Takes the lock `name` for as long as this process lives; gives false where another process has it. It is an
 * abstract socket (unix(7)): anybody could take the name, which only keeps a command from running and is seen in ss(8).
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
