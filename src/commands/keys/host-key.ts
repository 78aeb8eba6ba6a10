/** `notp host-key`: the commands about the key of the host. */
import type { Command } from 'commander';
import type { Finish, Surroundings } from '../options.ts';
import { addInit } from './init.ts';
import { addRotate } from './rotate.ts';

/** Adds `host-key` with `init`, `id`, `rotate` and `retire`. */
export function addHostKey(program: Command, { now }: Surroundings, finish: Finish): void {
  const hostKey = program.command('host-key').description('manage the key of this host, which makes host seals').helpCommand(false);
  addInit(hostKey, now, finish);
  addRotate(hostKey, now, finish);
}
