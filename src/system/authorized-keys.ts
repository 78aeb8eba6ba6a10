/**
 * The `command=` of the key that opened this session. ForceCommand makes sshd drop it, and a key that was meant
 * for one command would get a shell; with `ExposeAuthInfo yes` sshd names the key and the gate keeps to it.
 * See AUTHORIZED_KEYS FILE FORMAT in sshd(8) and ExposeAuthInfo in sshd_config(5).
 */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../error.ts';

/** sshd's default for AuthorizedKeysFile. */
const FILES = ['.ssh/authorized_keys', '.ssh/authorized_keys2'];
const KEY_TYPE = /^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+$/;

/** The forced command of the key in `authInfo` (the content of the file that SSH_USER_AUTH names), or undefined. */
export function keyCommand(authInfo: string, home: string): string | undefined {
  const keys = [...authInfo.matchAll(/^publickey (\S+) (\S+)/gm)].map(([, type, blob]) => `${String(type)} ${String(blob)}`);
  const lines = FILES.flatMap((file) => readLines(`${home}/${file}`)).map(parseAuthorizedKey);
  return lines.find((line) => line !== undefined && keys.includes(line.key) && line.command !== undefined)?.command;
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
  const command = /(?:^|,)command="((?:\\"|[^"])*)"/i.exec(options)?.[1];
  return { key: `${type} ${blob}`, command: command?.replaceAll('\\"', '"') };
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
