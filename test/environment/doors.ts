/** The doors that are put into surroundings: as PAM calls one of them, and as sshd the other. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { startService } from '../doors/serve-world.ts';
import { atEnd } from '../support/cleanup.ts';
import { some } from '../faults/tally.ts';
import { faultWorld, type FaultWorld } from '../faults/world.ts';
import { installTree } from '../support/world.ts';
import type { Expected, Surrounding } from './surroundings.ts';

/** Within the time in which a code is right and a service waits for a question: with little memory Node.js may hang in place of ending itself. */
const MAX_MS = 20_000;
/** So many of each kind are tried, others in each run. */
const SOME = 5;

export interface DoorWorld extends FaultWorld {
  readonly notp: string;
}

export interface Ended {
  readonly code: number | null;
  readonly said: string;
}

export interface Door {
  readonly where: string;
  world(): Promise<DoorWorld>;
  expects(surrounding: Surrounding): Expected;
  /** Exit code 0 where it lets in. */
  login(world: DoorWorld, surrounding: Surrounding, code: string): Ended;
}

/** Which of the surroundings are tried. */
export function among(all: readonly Surrounding[]): readonly Surrounding[] {
  return some(all, SOME);
}

async function worldOf(name: string, settings?: Parameters<typeof faultWorld>[1]): Promise<DoorWorld> {
  const world = await faultWorld(`environment-${name}`, settings);
  return { ...world, notp: installTree(world.pam.folder) };
}

const pam: Door = {
  where: 'at the PAM door',
  world: () => worldOf('pam'),
  expects: ({ expected }) => expected,
  login: (world, surrounding, code) => {
    const variables = { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: world.user.name };
    return runIn(world, surrounding, { variables, words: [world.notp, 'pam', '--config', world.pam.config], input: code });
  },
};

const gate: Door = {
  where: 'at the gate, behind the service',
  world: async () => {
    const world = await worldOf('gate', { top: 'socket = "/tmp/notp-environment-%U.sock"', tables: '[gate]\nexpose_auth_info = false\n' });
    const uid = world.user.uid;
    const socket = `/tmp/notp-environment-${String(uid)}.sock`;
    atEnd(() => {
      fs.rmSync(socket, { force: true });
    });
    await startService({
      socket,
      service: world.pam.service,
      words: [world.notp, 'serve', String(uid), '--config', world.pam.config],
      uid,
    });
    return world;
  },
  expects: ({ expected, gate: other }) => other ?? expected,
  login: (world, surrounding, code) => {
    const { uid, gid } = world.user;
    const variables = { LC_NOTP: code, SSH_ORIGINAL_COMMAND: 'exit 0', SSH_CONNECTION: '192.0.2.7 1 192.0.2.1 22' };
    const asUser = ['/usr/bin/setpriv', `--reuid=${String(uid)}`, `--regid=${String(gid)}`, '--init-groups'];
    return runIn(world, surrounding, { variables, words: [...asUser, world.notp, 'gate', '--config', world.pam.config], input: '' });
  },
};

export const DOORS: readonly Door[] = [pam, gate];

/** Becomes a program that has these variables and no others, each byte a letter of Latin-1: Node.js can give none that is not UTF-8. */
const WITH_BYTES = `
import json, os, sys
variables = {name.encode('latin-1'): value.encode('latin-1') for name, value in json.loads(sys.argv[1]).items()}
os.execve(sys.argv[2], sys.argv[2:], variables)
`;

interface Command {
  readonly variables: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly input: string;
}

function runIn(world: DoorWorld, { variables = {}, before, mounts, through = [] }: Surrounding, command: Command): Ended {
  const words = [...through.map((word) => (word === '$FILE' ? world.enrolled.file : word)), ...command.words];
  const script = `${before ?? mounts ?? ':'}; exec "$@"`;
  const shell = ['/bin/sh', '-c', mounts === undefined ? script : `set -e; ${script}`, 'sh', ...words];
  const inside = mounts === undefined ? shell : ['/usr/bin/unshare', '--mount', '--propagation', 'private', ...shell];
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', USER_HOME: world.user.home, ...command.variables, ...variables };
  const launcher = ['-c', WITH_BYTES, JSON.stringify(environment), ...inside];
  const { status, stdout, stderr } = spawnSync('python3', launcher, { input: command.input, timeout: MAX_MS, encoding: 'latin1' });
  return { code: status, said: stdout + stderr };
}
