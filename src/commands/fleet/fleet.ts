/** `notp fleet`: the members that ask the judges of a fleet, their certificates, and the end of one. */
import type { Command } from 'commander';
import { escapeControls } from '../../otp/escape.ts';
import { change } from '../../enrolment/change.ts';
import { originOf, onServiceState } from '../../enrolment/whose.ts';
import { timeOf } from '../../store/clock.ts';
import type { Member } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { realUser } from '../../system/users.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { distanceOf } from '../enrolments/times.ts';
import { common, configOf, JSON_LINES, type CommonFlags, type Finish, type Surroundings } from '../options.ts';
import { addCertificates, hostGiven } from './certificates.ts';

const FOR_ROOT = { act: 'see and revoke members', needs: 'notp fleet needs' };

/** Throws `not_permitted` without root, `failed` without a state of the host, `refused` on a member. */
async function listMembers(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const members = await onServiceState(config, FOR_ROOT, now, ({ store }) => store.exclusively((found) => found.members()));
  const width = Math.max(0, ...members.map(({ host }) => host.length));
  for (const each of members)
    printResult(json ? `${JSON.stringify(jsonOf(each))}\n` : `${escapeControls(`${each.host.padEnd(width)}  ${statusOf(each, now())}`)}\n`);
  if (members.length === 0 && !json) sayHint('no member has asked a judge yet: see notp-serve(8)');
  return 0;
}

/** In the order of what matters most. */
function statusOf({ untilMs, seenMs, revokedMs }: Member, nowMs: number): string {
  const seen = seenMs === 0 ? 'never seen' : `last seen ${distanceOf(timeIn(seenMs), nowMs)}`;
  const revoked = revokedMs === 0 ? '' : `, certificates from before ${timeIn(revokedMs)} revoked`;
  if (seenMs === 0) return `${seen}${revoked}`;
  return `certificate ${untilMs <= nowMs ? 'ended' : 'ends'} ${distanceOf(timeIn(untilMs), nowMs)}, ${seen}${revoked}`;
}

function jsonOf({ host, untilMs, seenMs, revokedMs }: Member): object {
  return { host, certificate_until: orNull(untilMs), last_seen: orNull(seenMs), revoked: orNull(revokedMs) };
}

/** Null for never. */
function orNull(ms: number): string | null {
  return ms === 0 ? null : timeIn(ms);
}

function timeIn(ms: number): string {
  return new Date(ms).toISOString();
}

/** Ends the certificates of `host` that were made until now, by the clock of the store, whether or not it has ever asked. Throws as listMembers does. */
async function revoke(config: Config, host: string, now: () => number): Promise<number> {
  const hasAsked = await onServiceState(config, FOR_ROOT, now, async (state) => {
    const before = await state.store.exclusively((found) => found.members());
    await change(state, { ...originOf(realUser()), door: 'cli' }, async (transaction) => {
      await transaction.revokeMember(host, await timeOf(transaction, state.log.now));
      return { done: [{ context: '', event: 'fleet.revoked', detail: host }], given: undefined };
    });
    return before.some((each) => each.host === host);
  });
  if (!hasAsked) sayHint(`no judge was ever asked by ${host}: notp fleet has the names of those that asked`);
  sayLine(`Revoked: ${host}. Within a second no judge answers it`);
  sayHint('a certificate that is made for it from now on counts again; sessions that are open stay open');
  return 0;
}

/** Adds `fleet` with `init`, `host-cert` and `revoke`. */
export function addFleet(program: Command, { now }: Surroundings, finish: Finish): void {
  const fleet = common(program.command('fleet'))
    .description('list the members that ask the judges of a fleet, with the ends of their certificates; root only')
    .option('--json', JSON_LINES)
    .helpCommand(false)
    .action(async ({ json, ...flags }: CommonFlags & { readonly json?: boolean }) => {
      finish(await listMembers(configOf(flags), { json: json === true }, now));
    });
  addCertificates(fleet, finish);
  common(fleet.command('revoke'))
    .description('end the certificates of a member that were made until now; root only')
    .argument('<host>', 'the name in the certificate', hostGiven)
    .action(async (host: string, _: CommonFlags, command: Command) => {
      finish(await revoke(configOf(command.optsWithGlobals<CommonFlags>()), host, now));
    });
}
