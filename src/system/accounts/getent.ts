/** Asks the databases of nsswitch.conf(5) with getent(1), so that directory services count. */
import { spawnSync } from 'node:child_process';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';

export const TIMEOUT_MS = 10_000;
/** What getent(1) reads as a uid or a gid: strtoul(3). */
export const IS_NUMBER = /^\s*[+-]?\d+$/;
const GETENT = '/usr/bin/getent';
/** The longest answer of getent(1): about 100 000 users. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** The exit code of getent(1) for a key that was not found. */
const NOT_FOUND = 2;

/** The lines for `keys`, without the unknown ones; without any keys, all that is listed. `source`: asks this one of nsswitch.conf(5) alone. */
export function getent(database: 'passwd' | 'group' | 'initgroups', keys: readonly string[], source?: string): string[] {
  const only = source === undefined ? [] : ['-s', `${database}:${source}`];
  return run(database, [...only, database, '--', ...keys])
    .stdout.split('\n')
    .slice(0, -1);
}

/** What the C library does where a source of initgroups has answered, with groups or without, and where it has not. */
const ANSWERED = '[SUCCESS=continue NOTFOUND=continue UNAVAIL=return TRYAGAIN=return]';
/** Modules that do not exist. The C library looks for the first one after all sources have answered, and for the second one never. */
const [AFTER, NEVER] = ['notp_after_answers', 'notp_never'];

/**
 * The gids, in digits, that `sources` of nsswitch.conf(5) give for a user, without the primary one; undefined unless each of them has
 * answered. getent(1) prints the same where a source does not answer as where it knows no groups of the user. But the C library goes on
 * to the next source only after an answer, and ld.so(8) says which module it looks for.
 */
export function gidsBySources(user: string, sources: readonly string[]): string[] | undefined {
  const order = [...sources, AFTER].map((source) => `${source} ${ANSWERED}`).join(' ');
  // nscd(8) is left out where the sources of "group" are given, too.
  const only = ['group', 'initgroups'].flatMap((database) => ['-s', `${database}:${order} ${NEVER}`]);
  const { stdout, stderr } = run('initgroups', [...only, 'initgroups', '--', user], { LD_DEBUG: 'libs' });
  const hasLookedFor = (module: string): boolean => stderr.includes(`find library=libnss_${module}.so`);
  const others = stdout.startsWith(user) ? stdout.slice(user.length) : '';
  if (!hasLookedFor(AFTER) || hasLookedFor(NEVER) || !/^ *( \d+)*\n$/.test(others)) return undefined;
  return others.split(' ').flatMap((word) => word.trim() || []);
}

function run(database: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): { stdout: string; stderr: string } {
  const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_ANSWER_BYTES };
  const { error, status, stdout, stderr } = spawnSync(GETENT, words, { encoding: 'utf8', ...limits, env });
  // The part of an answer below the limit may come with a status of 0.
  if (error !== undefined || (status !== 0 && status !== NOT_FOUND))
    throw new NotpError('failed', `the ${database} database cannot be asked`, shellCommand`getent ${database} must work`);
  return { stdout, stderr };
}
