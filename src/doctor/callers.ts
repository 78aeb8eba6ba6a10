/**
 * Finds what fails without notp: the files of sshd and PAM that start it, in any Match block, phase or form. The packages ask this before
 * they remove it. What is read here is more than what is in force: a line too many is better than one too few.
 */
import * as fs from 'node:fs';
import { ifThere, textIfThere } from '../system/if-there.ts';
import { execWords, modulesInFiles, startsNotp, type PamModule } from './pam/stack.ts';
import { readSshdFiles, wordsToRun } from './sshd/files.ts';
import { DEFAULT_SSHD_CONFIG, runningServers, type Server } from './sshd/servers.ts';
import { socketServers } from './sshd/socket-units.ts';

export interface Caller {
  /** A file, or the command line of an sshd. */
  readonly where: string;
  /** Whether pam-auth-update(8) keeps the lines, and takes them away when the package goes. */
  readonly isManaged: boolean;
}

const MAX_SCRIPT_BYTES = 64 * 1024;
/** Around the lines that pam-auth-update writes. */
const MANAGED_FILES = /^\/etc\/pam\.d\/common-[^/]+$/;
const MANAGED_FROM = /^# here are the per-package modules/;
const MANAGED_TO = /^# end of pam-auth-update config/;

/** Every caller once. Throws if a file cannot be read. The caller is root. */
export function callers(): readonly Caller[] {
  const found = [...sshdCallers().map((where) => ({ where, isManaged: false })), ...pamCallers()];
  return [...new Map(found.map((caller) => [JSON.stringify(caller), caller])).values()];
}

/** In the files of each sshd, whether it runs or not, and in the options of those that run. */
function sshdCallers(): string[] {
  // A process that may not be an sshd of this host names no files of this host.
  const servers = [...runningServers(), ...socketServers()].filter(({ doubt }) => doubt === undefined);
  const configs = new Set([DEFAULT_SSHD_CONFIG, ...servers.map(({ config }) => config)]);
  const lines = [...configs].flatMap((config) => ifThere(() => readSshdFiles(config))?.programs ?? []);
  return [...lines.filter(({ words }) => words.some(leadsToNotp)).map(({ file }) => file), ...servers.flatMap(inOptions)];
}

function inOptions({ program, options }: Server): string[] {
  return options.filter((option) => wordsToRun(option).some(leadsToNotp)).map((option) => `${program} -o ${option}`);
}

function pamCallers(): Caller[] {
  const lines = modulesInFiles().filter((line) => (execWords(line) ?? []).some(leadsToNotp));
  return lines.map((line) => {
    const { file, number } = placeOf(line);
    return { where: file, isManaged: MANAGED_FILES.test(file) && isManaged(file, number) };
  });
}

function placeOf({ where }: PamModule): { file: string; number: number } {
  const colon = where.lastIndexOf(':');
  return { file: where.slice(0, colon), number: Number(where.slice(colon + 1)) };
}

function isManaged(file: string, number: number): boolean {
  const lines = (textIfThere(file) ?? '').split('\n');
  const from = lines.findIndex((line) => MANAGED_FROM.test(line));
  return from !== -1 && from < number && number <= lines.findIndex((line) => MANAGED_TO.test(line));
}

/** Whether the word starts notp, itself or as a script that does. */
function leadsToNotp(word: string): boolean {
  return startsNotp(word) || startsNotp(scriptText(word));
}

/** The text of a script; empty for anything else. */
function scriptText(program: string): string {
  if (!program.startsWith('/')) return '';
  try {
    const stats = fs.statSync(program);
    const text = stats.isFile() && stats.size <= MAX_SCRIPT_BYTES ? fs.readFileSync(program, 'latin1') : '';
    return text.startsWith('#!') ? text : '';
  } catch {
    // There is none, or its path is a user's, who may have made a loop of it.
    return '';
  }
}
