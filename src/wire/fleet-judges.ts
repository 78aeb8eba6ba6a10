/**
 * The client of the judges of a fleet: the lines of wire/question.ts over TLS 1.3, to the first judge that answers. The connection to each is kept.
 * Before each question a judge must answer a greeting, at once and without taking its turn: so a judge that is gone or hangs costs a
 * moment, and one that is only busy is waited for.
 *
 *   { "notp": "greeting/2", "wire": WIRE }   -> the same, with the messages that the judge speaks
 */
import { isIP } from 'node:net';
import * as tls from 'node:tls';
import { messageOf, NotpError } from '../error.ts';
import { uptimeMs } from '../store/clock.ts';
import type { Identity } from '../system/certificates.ts';
import type { Server } from '../system/settings.ts';
import { openLines, type LineSocket } from './line-socket.ts';
import { parsePong, printPing } from './ping.ts';
import { MAX_LINE, WIRE } from './question.ts';

const GREETING = JSON.stringify({ notp: 'greeting/2', wire: WIRE });

/** Whether a line is a greeting, also one of another release: that is answered too, so that the other side can say so. */
export function isGreeting(line: string): boolean {
  return /^\{"notp":"greeting\/\d{1,4}"[^]{0,256}$/.test(line);
}

/** Whether a greeting is one of another release. */
export function isOtherGreeting(line: string): boolean {
  return line !== GREETING;
}

export function printGreeting(): string {
  return `${GREETING}\n`;
}

/** How soon a judge must answer a greeting, with the handshake where there is no connection yet. */
const QUICK_MS = 250;
/** The same where no judge is as quick. */
const PATIENT_MS = 2_000;
/** How long a judge that did not answer is left out while others do. */
const LEFT_OUT_MS = 30_000;

export interface FleetAccess {
  readonly servers: readonly Server[];
  /** Called for each new connection. */
  readonly identity: () => Identity;
}

export interface FleetJudges {
  /** The answer to one line, by `untilMs` of uptimeMs(). One question at a time. Throws `store_unavailable` where no judge answers. */
  ask(of: FleetAccess, line: string, untilMs: number): Promise<string>;
  /** Throws as ask() where no judge can decide, with the reason of each. */
  ping(of: FleetAccess, untilMs: number): Promise<void>;
  close(): void;
}

/** The judges, with their connections, and with what is known of those that did not answer. */
export function openFleetJudges(): FleetJudges {
  const open = new Map<string, LineSocket>();
  const leftOut = new Map<string, number>();
  const drop = (name: string): void => {
    open.get(name)?.close();
    open.delete(name);
  };
  /** A connection on which the judge has just answered a greeting. A kept one may have been closed by the judge: that is no fault. */
  const greeted = async (server: Server, identity: () => Identity, untilMs: number): Promise<LineSocket> => {
    const name = nameOf(server);
    const kept = open.get(name);
    if (kept !== undefined && (await isAnswering(kept, name, untilMs))) return kept;
    drop(name);
    const opened = await openLines(name, connect(server, identity()), 'secureConnect', { maxBytes: MAX_LINE, deadlineMs: left(untilMs) });
    open.set(name, opened);
    await hello(opened, name, untilMs);
    return opened;
  };
  /** Does `work` with the first judge that answers, and goes on to the next where that one fails. */
  const withOne = async <T>(of: FleetAccess, untilMs: number, work: (judge: LineSocket, name: string) => Promise<T>): Promise<T> => {
    const failures = new Map<string, string>();
    for (const patienceMs of [QUICK_MS, PATIENT_MS]) {
      for (const server of of.servers) {
        const name = nameOf(server);
        const isLeftOut = patienceMs === QUICK_MS && uptimeMs() < (leftOut.get(name) ?? 0);
        if (isLeftOut || uptimeMs() >= untilMs) continue;
        try {
          const result = await work(await greeted(server, of.identity, Math.min(untilMs, uptimeMs() + patienceMs)), name);
          leftOut.delete(name);
          return result;
        } catch (error) {
          drop(name);
          leftOut.set(name, uptimeMs() + LEFT_OUT_MS);
          failures.set(name, messageOf(error));
        }
      }
    }
    throw new NotpError('store_unavailable', `no judge answers: ${[...failures.values()].join('; ')}`);
  };
  return {
    ask: (of, line, untilMs) => withOne(of, untilMs, (judge) => judge.ask(line, left(untilMs))),
    ping: (of, untilMs) =>
      withOne(of, untilMs, async (judge, name) => {
        const { reason } = parsePong(await judge.ask(printPing(), left(untilMs)));
        if (reason !== undefined)
          throw new NotpError('store_unavailable', `${name}: it cannot decide (${reason}), and its journal says why`);
      }),
    close: () => {
      for (const name of open.keys()) drop(name);
    },
  };
}

/** False where the connection has ended. Throws where the judge is silent until `untilMs`. */
async function isAnswering(kept: LineSocket, name: string, untilMs: number): Promise<boolean> {
  try {
    await hello(kept, name, untilMs);
    return true;
  } catch (error) {
    if (uptimeMs() >= untilMs) throw error;
    return false;
  }
}

async function hello(judge: LineSocket, name: string, untilMs: number): Promise<void> {
  const heard = await judge.ask(printGreeting(), left(untilMs));
  if (!isGreeting(heard)) throw new NotpError('store_unavailable', `${name}: it does not speak as a judge does`);
  if (!isOtherGreeting(heard)) return;
  const spoken = /"wire":"([\w/ ]{1,128})"/.exec(heard)?.[1] ?? 'other messages';
  throw new NotpError(
    'store_unavailable',
    `${name}: the judge is of another release: it speaks ${spoken}, and this host ${WIRE}: upgrade the earlier one`,
  );
}

/** The name in the certificate must be the one that is asked for, and the certificate one for servers. */
function connect({ host, port }: Server, identity: Identity): tls.TLSSocket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const always = { minVersion: 'TLSv1.3', rejectUnauthorized: true, noDelay: true } as const;
  return tls.connect({ host, port, ...name, ...identity, ...always });
}

function nameOf({ host, port }: Server): string {
  return `${host}:${String(port)}`;
}

function left(untilMs: number): number {
  return Math.max(1, Math.ceil(untilMs - uptimeMs()));
}
