/** `notp grant`: lets one user in without a code until a time, for a reason. Root only. */
import { InvalidArgumentError, type Command } from 'commander';
import { NotpError } from '../../error.ts';
import { quoted, shellCommand } from '../../otp/escape.ts';
import { serviceState, userNamed } from '../../enrolment/whose.ts';
import { give, type WantedGrant } from '../../enrolment/grants.ts';
import { withPresentState } from '../../state/state.ts';
import type { Config } from '../../system/config.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { reasonProblem, serviceProblem } from '../../system/rule-settings.ts';
import { durationOf } from '../../system/settings.ts';
import { enableSockets, hasService } from '../../system/systemd.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { networkProblem } from '../../verdict/address.ts';
import { digestOfKey, whoseGrant } from '../../verdict/grants.ts';
import { spanOf } from '../../verdict/rule-words.ts';
import { common, configOf, type CommonFlags, type Finish, type Surroundings } from '../options.ts';
import { jsonOfGrant } from './grants.ts';
import { minuteOf } from '../enrolments/times.ts';

interface GrantFlags extends CommonFlags {
  readonly for: number;
  readonly reason: string;
  readonly from?: string;
  readonly key?: string;
  readonly service?: string;
  readonly json?: boolean;
}

/** Throws `not_permitted` without root, `usage` for an unknown user or more than `max_grant`, `refused` without a state of the host. */
async function grant(config: Config, name: string, flags: GrantFlags, now: () => number): Promise<number> {
  requireRoot('grant logins without a code');
  const { maxGrantMs } = config;
  if (flags.for > maxGrantMs)
    throw new NotpError(
      'usage',
      maxGrantMs === 0 ? 'notp.toml allows no grants' : `a grant may last ${spanOf(maxGrantMs)} at the most`,
      'max_grant of [policy] in notp.toml says how long',
    );
  const place = serviceState(config, 'grants need');
  const { uid, name: canonical } = userNamed(name, { onlyRoot: 'grant', hint: () => 'run this with sudo' });
  const { from = '', key = '', service = '', reason, for: forMs } = flags;
  const wanted: WantedGrant = { from, key, service, reason, forMs };
  // The gate of a user who is not enrolled asks the service by this socket, too. Where it cannot be enabled, nothing is granted.
  if (hasService()) enableSockets([uid]);
  const made = await asUser(place.owner, () =>
    withPresentState(place, now, (state) => give(state, { user: canonical, uid, door: 'cli' }, wanted)),
  );
  if (flags.json === true) printResult(`${JSON.stringify(jsonOfGrant(made))}\n`);
  else sayLine(`Granted: ${whoseGrant(made)} needs no code until ${minuteOf(new Date(made.untilMs).toISOString())} UTC (grant ${made.id})`);
  sayHint(shellCommand`notp grants --end ${made.id} ends it at once; each use is in the log: notp audit --user ${made.user}`);
  return 0;
}

function spanGiven(given: string): number {
  const ms = durationOf(given, 'mhd') ?? 0;
  if (ms > 0) return ms;
  throw new InvalidArgumentError('It must be a time such as 30m, 2h or 1d.');
}

function reasonGiven(given: string): string {
  const wrong = reasonProblem(given);
  if (wrong === undefined) return given.trim();
  throw new InvalidArgumentError(`It ${wrong}.`);
}

function networkGiven(given: string): string {
  const wrong = networkProblem(given);
  if (wrong === undefined) return given;
  throw new InvalidArgumentError(`${quoted(given)} ${wrong}.`);
}

function keyGiven(given: string): string {
  const digest = digestOfKey(given);
  if (digest !== undefined) return digest;
  throw new InvalidArgumentError('It must be a fingerprint as ssh-keygen -lf prints it: SHA256:…');
}

function serviceGiven(given: string): string {
  const wrong = serviceProblem(given);
  if (wrong === undefined) return given;
  throw new InvalidArgumentError(`${quoted(given)} ${wrong}.`);
}

/** Adds `grant`. */
export function addGrant(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('grant'))
    .description('let one user in without a code until a time, for a reason; root only')
    .argument('<user>', 'who gets in; need not be enrolled')
    .requiredOption('--for <time>', 'how long: 30m, 2h, 1d; at most max_grant of notp.toml', spanGiven)
    .requiredOption('--reason <text>', 'stands in the record of each use', reasonGiven)
    .option('--from <address>', 'only from this address or network', networkGiven)
    .option('--key <fingerprint>', 'only after the key with this fingerprint (SHA256:…, from ssh-keygen -lf)', keyGiven)
    .option('--service <name>', 'only at this PAM service; sshd also for the gate', serviceGiven)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  sudo notp grant alice --for 2h --reason "phone lost, OPS-12" --from 192.0.2.7 --service sshd')
    .action(async (user: string, flags: GrantFlags) => {
      finish(await grant(configOf(flags), user, flags, now));
    });
}
