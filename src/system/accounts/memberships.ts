/**
 * Whether the names of an account are in groups: known to be in, known not to be, or unknown. The C library leaves out a source of groups
 * that does not answer, without a word. So nobody counts as outside a group before each source has answered about that user.
 */
import { spawnSync } from 'node:child_process';
import { quoted } from '../../otp/escape.ts';
import { fileUpTo } from '../bytes.ts';
import { gidsBySources, TIMEOUT_MS } from './getent.ts';
import { sourcesOf } from './nsswitch.ts';
import { gidsOf } from '../users.ts';

export interface Memberships {
  /** The groups that each name is in. */
  readonly groups: readonly string[];
  /** The groups that no name is in. */
  readonly otherGroups: readonly string[];
  /** Of all others: why it is unknown. */
  readonly unsure: ReadonlyMap<string, string>;
}

const ID = '/usr/bin/id';
const GROUP_FILE = '/etc/group';
const MAX_GROUP_FILE_BYTES = 16 * 1024 * 1024;
/** The most names of an account that are looked up: each takes two processes. */
export const MAX_NAMES = 16;
/** Sources that are on this host, and are taken for complete. */
const LOCAL_SOURCES: readonly string[] = ['files', 'systemd'];

/** `names`: all names of one account; undefined where nobody knows them. */
export function membershipsOf(names: readonly string[] | undefined, groups: readonly string[]): Memberships {
  if (names === undefined) return unknown(groups, 'the passwd file does not tell all names of the account');
  if (names.length === 0 || names.length > MAX_NAMES) return unknown(groups, `the account has ${String(names.length)} names`);
  try {
    const others = otherSources();
    const gids = gidsByName(groups, others ?? []);
    const of = names.map((name) => gidsOfUser(name, others));
    const each = groups.map((group) => [group, membership(gids.get(group) ?? [], of)] as const);
    return {
      groups: each.flatMap(([group, is]) => (is === true ? [group] : [])),
      otherGroups: each.flatMap(([group, is]) => (is === false ? [group] : [])),
      unsure: new Map(each.flatMap(([group, is]) => (typeof is === 'string' ? [[group, is]] : []))),
    };
  } catch {
    return unknown(groups, 'the group database cannot be asked');
  }
}

/**
 * The sources of nsswitch.conf(5) besides this host's files that groups come from, for memberships; undefined where it is unknown which
 * they are. "compat" is the file, unless a line of it goes on to another source.
 */
export function otherSources(): readonly string[] | undefined {
  const own = sourcesOf('initgroups');
  const sources = own.length > 0 ? own : sourcesOf('group');
  if (sources.length === 0 || (sources.includes('compat') && goesOn())) return undefined;
  return [...new Set(sources)].filter((source) => ![...LOCAL_SOURCES, 'compat'].includes(source));
}

/** Whether `sources` answer about `user` now. */
export function doAnswer(user: string, sources: readonly string[]): boolean {
  try {
    return gidsBySources(user, sources) !== undefined;
  } catch {
    return false;
  }
}

/** The gids of a user in digits. */
interface Gids {
  /** By all sources, as sshd and the kernel have them. */
  readonly known: readonly string[];
  /** By the sources besides files, each for itself; undefined where one of them has not answered. */
  readonly others: readonly string[] | undefined;
}

/** True or false, or why it is unknown. `gids`: those of the group, that which counts first. */
function membership([gid, ...more]: readonly string[], users: readonly Gids[]): boolean | string {
  if (gid === undefined) return 'no group database knows it now';
  if (users.every(({ known }) => known.includes(gid))) return true;
  if (users.some(({ known }) => known.includes(gid))) return 'only some of the names of the account are in it';
  if (users.some(({ others }) => others === undefined)) return 'a source of groups in nsswitch.conf(5) does not answer now';
  const isNowhere = users.every(({ known, others = [] }) => [gid, ...more].every((each) => ![...known, ...others].includes(each)));
  return isNowhere ? false : 'the sources of groups in nsswitch.conf(5) contradict each other';
}

/** The gids of each of `groups`: by all sources, and by each of `others` alone, which may have another group of that name. */
function gidsByName(groups: readonly string[], others: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const answers = [undefined, ...others].map((source) => gidsOf(groups, source));
  return new Map(groups.map((group) => [group, answers.flatMap((gids) => gids.get(group) ?? [])]));
}

/** Numbers alone: id(1) looks up each group for its name, and a user may be in hundreds. Throws where id(1) fails or is ended. */
function gidsOfUser(name: string, sources: readonly string[] | undefined): Gids {
  const { error, status, stdout } = spawnSync(ID, ['-G', '--', name], { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  if (error !== undefined || status !== 0 || !/^\d+( \d+)*\n$/.test(stdout)) throw new Error(`id -G ${quoted(name)} failed`);
  const others = sources === undefined || sources.length === 0 ? sources : gidsBySources(name, sources);
  return { known: stdout.trim().split(' '), others };
}

function unknown(groups: readonly string[], why: string): Memberships {
  return { groups: [], otherGroups: [], unsure: new Map(groups.map((group) => [group, why])) };
}

/** Whether a line of group(5) begins with "+", which means another source. */
function goesOn(): boolean {
  try {
    const bytes = fileUpTo(GROUP_FILE, MAX_GROUP_FILE_BYTES);
    return bytes.length > MAX_GROUP_FILE_BYTES || /^\s*\+/m.test(Buffer.from(bytes).toString('latin1'));
  } catch {
    return true;
  }
}
