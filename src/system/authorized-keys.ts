/**
 * The `command=` of the key that opened this session. ForceCommand makes sshd drop it, and a key that was meant
 * for one command would get a shell; with `ExposeAuthInfo yes` sshd names the key and the gate keeps to it.
 * See AUTHORIZED_KEYS FILE FORMAT in sshd(8) and ExposeAuthInfo in sshd_config(5).
 */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../error.ts';
import { parseCertificate } from './ssh-certificate.ts';

/** sshd's default for AuthorizedKeysFile. */
const FILES = ['.ssh/authorized_keys', '.ssh/authorized_keys2'];
const KEY_TYPE = /^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+$/;

/**
 * The forced command of the key in `authInfo` (the content of the file that SSH_USER_AUTH names), or undefined. A
 * certificate may bring its own (force-command); else the line of the key, or of the authority that signed it, has it.
 * Throws where a line or a certificate cannot be read: a limit that cannot be known must not vanish.
 */
export function keyCommand(authInfo: string, home: string): string | undefined {
  const keys = [...authInfo.matchAll(/^publickey (\S+) (\S+)/gm)].map(([, type = '', blob = '']) => {
    const certificate = parseCertificate(type, blob);
    return { key: certificate?.authority ?? `${type} ${blob}`, command: certificate?.forceCommand };
  });
  const lines = FILES.flatMap((file) => readLines(`${home}/${file}`)).flatMap((line) => parseAuthorizedKey(line) ?? []);
  const limits = [...keys, ...lines.filter((line) => keys.some(({ key }) => key === line.key))];
  return limits.find(({ command }) => command !== undefined)?.command;
}

export interface AuthorizedKey {
  /** Type and base64 blob. */
  readonly key: string;
  readonly command: string | undefined;
}

/** One line of authorized_keys, or undefined where it holds no key. */
export function parseAuthorizedKey(line: string): AuthorizedKey | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  const options = KEY_TYPE.test(text.split(/[ \t]/)[0] ?? '') ? '' : (/^(?:[^ \t"]|"(?:\\"|[^"])*")+/.exec(text)?.[0] ?? '');
  const [type, blob] = text
    .slice(options.length)
    .trim()
    .split(/[ \t]+/);
  if (type === undefined || blob === undefined || !KEY_TYPE.test(type)) return undefined;
  return { key: `${type} ${blob}`, command: commandOption(options) };
}

/** The value of `command=`; what stands inside the quotes of another option is none. */
function commandOption(options: string): string | undefined {
  const all = [...options.matchAll(/([^",=]+)(?:="((?:\\"|[^"])*)")?(?:,|$)/gy)];
  const command = all.find(([, name]) => name?.toLowerCase() === 'command')?.[2];
  return command?.replaceAll('\\"', '"');
}

/** A file that is not there has no keys; one that cannot be read throws, for a key's limits must not vanish. */
function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
