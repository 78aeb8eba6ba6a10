/** The options that select a part of the log, shared by the commands that read it. */
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

/** Adds the options that select users, times and files. */
export function withPeriod(command: Command, now: () => number): Command {
  return command
    .option('--user <name>', 'only records of this user')
    .option('--since <time>', 'only records from this time on', moment(now))
    .option('--until <time>', 'only records before this time', moment(now))
    .option(
      '--file <file>',
      'read this log and its rotated files, such as a copy from another host; may be given several times',
      collected,
    );
}

/**
 * The name of the user in the records: that of the passwd database, but as given for files, since another host may use
 * another name.
 */
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

/** Collects the values of an option that may be given several times. */
export function collected(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}
