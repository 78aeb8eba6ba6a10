/** A user's own audit log with a known story in it, and the three ways to look at it: piped, on a terminal, as JSON. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { nextLink, headAfter } from '../../../src/audit/chain.ts';
import { printRecord, type AuditRecord } from '../../../src/audit/record.ts';
import type { Reason } from '../../../src/verdict/reasons.ts';
import { runInTerminal, type Ran, type RunOptions, type Terminal } from '../../support/process.ts';
import { SOURCE_NOTP } from '../../support/world.ts';
import { NO_HEAD } from '../../audit/long-log.ts';
import { ownState, type OwnState } from '../own-state.ts';

export interface AuditWorld {
  readonly own: OwnState;
  readonly log: string;
  /** `notp audit …`, piped, in UTC. */
  audit(words: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The references that it printed as JSON lines. */
  refs(words: readonly string[]): Promise<string[]>;
  /** What it shows on a terminal, without its carriage returns. */
  shown(words: readonly string[], columns: number, environment?: NodeJS.ProcessEnv): Promise<string>;
  terminal(words: readonly string[], columns: number, environment?: NodeJS.ProcessEnv): Terminal;
  /** Writes `records` into a file, the n-th of the whole log first. */
  write(file: string, records: readonly Timed[]): void;
}

export type Timed = readonly [time: string, record: AuditRecord];

export const UTC = { TZ: 'UTC', LC_ALL: 'C.UTF-8', TERM: 'xterm' };

/** A refused or an accepted login. */
export function login(time: string, ref: string, user: string, reason: Reason | undefined, more: Partial<AuditRecord> = {}): Timed {
  const common = { user, uid: 1000, context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.7', tty: '/dev/pts/3', ref } as const;
  return [
    `${time}.000Z`,
    reason === undefined
      ? { ...common, event: 'login.accepted', result: 'accepted', method: 'totp', step_offset: 0, ...more }
      : { ...common, event: 'login.refused', result: 'refused', reason, ...more },
  ];
}

const STORY: readonly Timed[] = [
  ['2026-03-01T09:00:00.000Z', { ...login('', '00000001', 'alice', undefined)[1], event: 'enroll', result: 'done', door: 'cli' }],
  login('2026-03-01T10:00:00', '00000002', 'alice', undefined),
  login('2026-03-02T10:00:00', '00000003', 'bob', undefined, { uid: 1001, rhost: '2001:db8:1:2:3:4:5:6' }),
  login('2026-03-02T10:00:30', '00000004', 'bob', undefined, { uid: 1001, context: 'deploy', door: 'cli' }),
  login('2026-03-03T08:30:00', '00000005', 'alice', 'wrong_code'),
  login('2026-03-03T09:15:00', '00000006', 'alice', 'replayed', {
    rhost: '198.51.100.9',
    detail: 'the clock is 9 steps behind the last accepted code',
  }),
  login('2026-03-03T09:15:40', '00000007', 'alice', undefined, { rhost: '198.51.100.9' }),
  login('2026-03-03T12:00:00', '00000008', 'alice', 'store_unavailable'),
];

/** The story, the first two records of it packed, the next two in an older file. */
export function auditWorld(name: string): AuditWorld {
  const own = ownState(name);
  fs.mkdirSync(own.secrets, { mode: 0o700 });
  const log = path.join(own.secrets, '.audit.log');
  let head = NO_HEAD;
  const write: AuditWorld['write'] = (file, records) => {
    const lines = records.map(([time, record]) => {
      const link = nextLink(head);
      const line = printRecord(record, link, Date.parse(time));
      head = headAfter(link, line, undefined);
      return line;
    });
    const text = lines.join('');
    fs.appendFileSync(file, file.endsWith('.gz') ? gzipSync(text) : text, { mode: 0o600 });
  };
  write(`${log}.2.gz`, STORY.slice(0, 2));
  write(`${log}.1`, STORY.slice(2, 4));
  write(log, STORY.slice(4));
  const audit: AuditWorld['audit'] = (words, options) =>
    own.notp(['audit', ...words], { ...options, environment: { ...UTC, ...options?.environment } });
  const terminal: AuditWorld['terminal'] = (words, columns, environment = {}) =>
    runInTerminal([...SOURCE_NOTP, 'audit', '--config', own.config, ...words], {
      columns,
      environment: { ...UTC, NO_COLOR: '', ...environment },
    });
  return {
    ...{ own, log, audit, terminal, write },
    refs: async (words) => refsIn((await audit(words)).stdout),
    shown: async (words, columns, environment) => {
      const shown = terminal(words, columns, environment);
      await shown.exited;
      return shown.output().replaceAll('\r\n', '\n');
    },
  };
}

function refsIn(stdout: string): string[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { ref: string }).ref);
}
