/** What the services of a member do with a question: a judge of the fleet decides. They hold no key, no store and no chain. */
import { messageOf } from '../error.ts';
import { recordRefusal } from '../login/open.ts';
import { identityOf } from '../system/certificates.ts';
import type { Config } from '../system/config.ts';
import { openFleetJudges, type FleetAccess } from '../wire/fleet-judges.ts';
import type { Health } from '../wire/ping.ts';
import { WIRE, parseAnswer, printQuestion, printRefusal, type AskedAccount, type Question, type ToldRefusal } from '../wire/question.ts';
import type { Outcome } from '../wire/verifier.ts';
import { sayFault } from './serve-health.ts';

interface Asking {
  readonly config: Config;
  readonly account: AskedAccount;
  readonly now: () => number;
}

const REFUSED = 'every question is refused until a judge answers';

/** They last as long as the process. */
const judges = openFleetJudges();

/**
 * The outcome that a judge gives; undefined: ask the person. Where none answers, a refusal with a record in the log of this host, outside
 * a chain. `untilMs`: when the caller stops waiting, by uptimeMs().
 */
export async function forwarded(
  asked: Question | ToldRefusal,
  { config, account, now }: Asking,
  untilMs: number,
): Promise<Outcome | undefined> {
  try {
    return parseAnswer(await judges.ask(askedBy(config), lineOf(asked, account), untilMs));
  } catch (error) {
    const why = messageOf(error);
    sayFault(why, REFUSED);
    const [reason, detail] = 'ask' in asked ? (['store_unavailable', why] as const) : [asked.reason, `${asked.detail}; ${why}`];
    return await recordRefusal({ config, origin: { ...account, ...asked.origin }, reason, detail }, now);
  }
}

/** Whether a judge can decide. Never throws. */
export async function memberHealth(config: Config, untilMs: number): Promise<Health> {
  try {
    await judges.ping(askedBy(config), untilMs);
    return { reason: undefined, detail: '', key: '', wire: WIRE };
  } catch (error) {
    const detail = messageOf(error);
    sayFault(detail, REFUSED);
    return { reason: 'store_unavailable', detail, key: '', wire: WIRE };
  }
}

/** Closes the connections. */
export function leaveFleetJudges(): void {
  judges.close();
}

function askedBy({ judges: setting }: Config): FleetAccess {
  return { servers: setting.servers, identity: () => identityOf(setting) };
}

/** The judges know no socket of a user, so the account is named. They have the sealed files in their store. */
function lineOf(asked: Question | ToldRefusal, account: AskedAccount): string {
  if (!('ask' in asked)) return printRefusal({ ...asked, account });
  return printQuestion({ ...asked, account, files: asked.files.map(({ context }) => ({ context, sealed: '', wrong: '' })) });
}
