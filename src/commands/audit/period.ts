/** Which part of the log: what the commands that read it have in common. */
import { InvalidArgumentError, type Command } from 'commander';
import { accountName } from '../../system/users.ts';
import type { CommonFlags } from '../options.ts';
import { MOMENT, momentOf } from './time.ts';

export interface PeriodFlags extends CommonFlags {
  readonly user?: string;
  /** Unix time in milliseconds. */
  readonly since?: number;
  readonly until?: number;
  readonly file?: readonly string[];
  readonly json?: boolean;
}

/** The options of a period. */
export function withPeriod(command: Command, now: () => number): Command {
  return command
    .option('--user <name>', 'of this user')
    .option('--since <time>', 'from then on', moment(now))
    .option('--until <time>', 'before then', moment(now))
    .option(
      '--file <file>',
      'of this log, with what was rotated beside it, as a copy of that of another host; may be given several times',
      collected,
    );
}

/** Records have the name of the account. Another host may call it otherwise. */
export function recordedUser({ user, file = [] }: Pick<PeriodFlags, 'user' | 'file'>): string | undefined {
  return user === undefined || file.length > 0 ? user : accountName(user);
}

function moment(now: () => number): (given: string) => number {
  return (given) => {
    const timeMs = momentOf(given, now());
    if (timeMs !== undefined) return timeMs;
    throw new InvalidArgumentError(`It must be one of ${MOMENT}.`);
  };
}

/** Takes an option that may be given several times. */
export function collected(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}
