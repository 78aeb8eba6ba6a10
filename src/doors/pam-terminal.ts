/** Opens the terminal that a PAM service names, where its caller may be asked there. */
import * as fs from 'node:fs';
import { causeOf, NotpError } from '../error.ts';
import { openTerminal, type Terminal } from '../terminal/terminal.ts';
import { userByName } from '../system/users.ts';

/**
 * Opens the terminal that PAM_TTY names: `/dev/pts/3` or `pts/3`. sudo finds that name by the number of its terminal, and a user
 * who mounts a devpts of their own chooses the number. So the terminal must belong to PAM_RUSER, who called, or be open in the
 * calling process.
 * Called as root. Throws `not_permitted` where there is no such terminal.
 */
export function pamTerminal(environment: NodeJS.ProcessEnv): Terminal {
  const name = environment['PAM_TTY'] ?? '';
  const path = name.startsWith('/dev/') ? name : `/dev/${name}`;
  if (name === '' || name === 'ssh' || path.includes('..'))
    throw new NotpError('not_permitted', '--prompt-tty needs a terminal, and this service has none');
  try {
    return openTerminal(path, (terminal) => {
      requireOfCaller(terminal, environment['PAM_RUSER'] ?? '');
    });
  } catch (error) {
    throw new NotpError('not_permitted', `--prompt-tty cannot ask on ${path}: ${causeOf(error)}`);
  }
}

function requireOfCaller(terminal: fs.Stats, caller: string): void {
  const uid = caller === '' ? undefined : userByName(caller)?.uid;
  if (terminal.uid === uid || ['0', '1', '2'].some((fd) => isReadFrom(terminal, `/proc/${String(process.ppid)}`, fd))) return;
  throw new NotpError('not_permitted', `it belongs neither to ${caller === '' ? 'the caller' : caller} nor to what called notp`);
}

/**
 * Whether descriptor `fd` of the process in `folder` was opened to read from `terminal`. Device and file system must be the same: a
 * user's own devpts has the same numbers in another file system. An O_PATH descriptor may name any file, and many may write to a
 * terminal (mesg(1)), so neither counts.
 */
function isReadFrom({ dev, ino, rdev }: fs.Stats, folder: string, fd: string): boolean {
  const open = fs.statSync(`${folder}/fd/${fd}`, { throwIfNoEntry: false });
  if (open?.dev !== dev || open.ino !== ino || open.rdev !== rdev) return false;
  const flags = /^flags:\s+([0-7]+)$/m.exec(fs.readFileSync(`${folder}/fdinfo/${fd}`, 'utf8'))?.[1];
  if (flags === undefined) return false;
  const way = parseInt(flags, 8) & (O_ACCMODE | O_PATH);
  return way === fs.constants.O_RDONLY || way === fs.constants.O_RDWR;
}

// From open(2) and fcntl(2): Node.js has no names for them.
const O_ACCMODE = 0o3;
const O_PATH = 0o10000000;
