/**
 * The question of doctor and setup whether a service can decide, which a member of a fleet passes on to its judges. It changes nothing, and no decision is made.
 *
 *   { "notp": "ping/2" }
 *   { "notp": "pong/2", "reason": why the service refuses every login | null, "detail", "key": the id of its host key, or "",
 *     "wire": the versions of its messages }
 *
 * "detail" is only for root, at root's socket; a user learns no more than from a refused login, nor does a member. A service of an earlier release takes
 * a ping for a malformed question, and ends the conversation.
 */
import { messageOf } from '../error.ts';
import { literal, object, oneOf, optional, text } from '../seal/shape.ts';
import type { Reason } from '../verdict/reasons.ts';
import { ENDED } from './line-socket.ts';
import { MAX_TEXT, parseLine, REASONS, SHORT } from './question.ts';
import type { Wire } from './remote.ts';

export interface Health {
  /** Why every login is refused; undefined where the service can decide. */
  readonly reason: Reason | undefined;
  readonly detail: string;
  /** The id of the present host key; empty where there is none. */
  readonly key: string;
  /** The versions of the messages that it speaks: those of another release are others. */
  readonly wire: string;
}

const PING = '{"notp":"ping/2"}';

const PONG = object({
  ...{ notp: literal('pong/2'), reason: optional(oneOf(REASONS)), detail: SHORT },
  ...{ key: text(/^([0-9a-f]{16})?$/), wire: text(/^[\w/ ]{0,128}$/) },
}).map(({ reason, detail, key, wire }): Health => ({ reason, detail, key, wire }));

export function printPing(): string {
  return `${PING}\n`;
}

/** Whether a line is a ping, in the exact form that notp writes. */
export function isPing(line: string): boolean {
  return line === PING;
}

export function printPong({ reason, detail, key, wire }: Health): string {
  return JSON.stringify({ notp: 'pong/2', reason: reason ?? null, detail: detail.slice(0, MAX_TEXT), key, wire }) + '\n';
}

/** Throws if the line is not the answer to a ping. */
export function parsePong(line: string): Health {
  return parseLine(PONG, line, 'the answer');
}

/** What came of a ping: an answer, the end of the connection without one, or a reason why nobody answered. */
export type Heard = { readonly health: Health } | { readonly ended: true } | { readonly silent: string };

/** Asks, and closes the connection. Never throws. */
export async function ping(wire: Wire): Promise<Heard> {
  try {
    return { health: parsePong(await wire.ask(printPing())) };
  } catch (error) {
    const why = messageOf(error);
    return why.endsWith(ENDED) ? { ended: true } : { silent: why };
  } finally {
    wire.close();
  }
}
