/** Checks of the service: its user, its units, its key as a credential, and the socket of each enrolled user. See systemd.unit(5). */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import { credentialNames, expand, type Config } from '../../system/config.ts';
import { inParts } from '../../lists.ts';
import { textIfThere } from '../../system/if-there.ts';
import { hasOwnUnit, hasService, isBooted, isSocketEnabled, JUDGE_SOCKET } from '../../system/systemd.ts';
import { first, showUnits, statesOf } from '../../system/units.ts';
import { SERVICE_USER, userByName, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';

/** Its unit is that of every service, with all drop-ins. */
const JUDGE_SERVICE = 'notp@judge.service';
/** Unit names on one command line. */
const BATCH = 100;

/** The doors in use. At the gate each user needs a socket of their own; at the PAM door root asks the judge. */
export interface DoorsInUse {
  readonly gate: boolean;
  readonly pam: boolean;
}

/** Throws `failed` where systemd cannot be asked. */
export function examineService(config: Config, people: readonly Person[], { gate, pam }: DoorsInUse): Finding[] {
  const service = userByName(SERVICE_USER);
  if (service === undefined) return [noUser()];
  const enrolled = people.filter(({ enrolments }) => enrolments.length > 0).map(({ user }) => user);
  const sockets = gate || hasService() ? examineSockets(config, enrolled) : [];
  return [ok('service-user', `The system user ${SERVICE_USER} exists`), ...examineUnits(config, { gate, pam }), ...sockets];
}

function examineUnits(config: Config, { gate, pam }: DoorsInUse): Finding[] {
  if (!isBooted())
    return [
      {
        id: 'service-units',
        severity: gate ? 'fail' : 'info',
        title: 'systemd is not the init of this host, so no socket starts the service',
        detail: '/run/systemd/system does not exist',
        fix: gate ? 'the PAM door needs no service' : '',
      },
    ];
  if (!hasService())
    return [
      {
        id: 'service-units',
        severity: gate || pam ? 'fail' : 'info',
        title: "notp's units are not installed",
        detail: 'no notp@.socket',
        fix: 'install the files of systemd/',
      },
    ];
  return [ok('service-units', "notp's units are installed"), ...examineCredential(config), ...(pam ? [examineJudge(config)] : [])];
}

function examineJudge({ judge }: Config): Finding {
  const [active = ''] = states('is-active', [JUDGE_SOCKET]);
  const [enabled = ''] = states('is-enabled', [JUDGE_SOCKET]);
  const wrong = ifMasked(enabled) ?? wrongWithSocket(judge, { uid: 0 }) ?? unlessState('active', active) ?? unlessState('enabled', enabled);
  if (wrong === undefined) return ok('service-judge', 'The judge of the PAM door listens', judge);
  // The PAM stack of sshd that setup writes starts it for whoever has shown a first factor, and its socket before it; sudo does not.
  const canStart = active !== 'active' && !isMasked(enabled);
  const title = `The judge of the PAM door does not listen, so ${canStart ? 'logins there are refused unless sshd starts it first' : 'every login there is refused'}`;
  return { id: 'service-judge', severity: 'fail', title, detail: wrong, fix: howToListen(JUDGE_SERVICE, JUDGE_SOCKET, enabled) };
}

/** The host key reaches the service only through a line of its unit. */
function examineCredential(config: Config): Finding[] {
  const loaded = credentialsIn(unitText(JUDGE_SERVICE));
  const lines = credentialNames(config).map((name, i): readonly string[] => {
    const file = config.hostKeys[i] ?? '';
    // A single key may also have the name of its file.
    const names = config.hostKeys.length === 1 ? [name, path.basename(file)] : [name];
    const encrypted = i === 0 && fs.existsSync(`${file}.cred`) ? names.map((each) => `${ENCRYPTED}=${each}:${file}.cred`) : [];
    const plain = i > 0 || encrypted.length === 0 || fs.existsSync(file) ? names.map((each) => `${PLAIN}=${each}:${file}`) : [];
    return [...encrypted, ...plain];
  });
  const missing = lines.find((some) => !some.some((line) => loaded.includes(line)));
  if (missing === undefined) {
    const present = lines.map((some) => some.find((line) => loaded.includes(line)));
    return [ok('service-credential', 'The service receives the host key', present.join(', '))];
  }
  const [line = ''] = missing;
  const instead = loaded.length === 0 ? '' : `, but ${loaded.join(', ')}`;
  const fix = line.startsWith(ENCRYPTED)
    ? 'install systemd/encrypted-host-key.conf as a drop-in'
    : shellCommand`add a drop-in to notp@.service with ${line}, or remove the one that has another: systemctl cat ${JUDGE_SERVICE}`;
  return [
    {
      id: 'service-credential',
      severity: 'fail',
      title: 'The service does not receive the host key',
      detail: `notp@.service has no ${line}${instead}`,
      fix,
    },
  ];
}

/** Its file and all drop-ins, in the order in which systemd reads them. */
function unitText(name: string): string {
  const [unit = new Map<string, string[]>()] = showUnits([name], ['FragmentPath', 'DropInPaths']);
  const files = ['FragmentPath', 'DropInPaths'].flatMap((key) =>
    first(unit, key)
      .split(' ')
      .filter((file) => file !== ''),
  );
  return files.map((file) => textIfThere(file) ?? '').join('\n');
}

const PLAIN = 'LoadCredential';
const ENCRYPTED = 'LoadCredentialEncrypted';

/**
 * The credentials that the unit files in `text` load, as systemd reads them: an empty line of either kind discards all before it, and a
 * later one replaces one of the same name. `systemctl show` prints none.
 */
export function credentialsIn(text: string): string[] {
  const loaded = new Map<string, string>();
  for (const [, key = '', value = ''] of text.matchAll(/^[ \t]*(LoadCredential(?:Encrypted)?)[ \t]*=[ \t]*(.*?)[ \t]*$/gm)) {
    if (value === '') loaded.clear();
    else loaded.set(value.split(':')[0] ?? '', `${key}=${value}`);
  }
  return [...loaded.values()];
}

function examineSockets(config: Config, users: readonly User[]): Finding[] {
  const names = users.map(socketOf);
  const [enabled, active] = hasService() ? [enabledStates(users), states('is-active', names)] : [[], []];
  const findings = users.flatMap((user, i) => {
    const wrong = wrongNow(config, user, { enabled: enabled[i], active: active[i] }) ?? unlessState('enabled', enabled[i]);
    return wrong === undefined ? [] : [deafSocket(user, wrong, enabled[i])];
  });
  return findings.length > 0 || users.length === 0
    ? findings
    : [ok('service-socket', 'Every enrolled user has a socket', `${String(users.length)} checked`)];
}

/** Why the gate cannot ask the service about `user` now. Throws `failed` where systemd cannot be asked. */
export function socketProblem(config: Config, user: User): Finding | undefined {
  const [enabled, active] = hasService() ? [enabledStates([user])[0], states('is-active', [socketOf(user)])[0]] : [];
  const wrong = wrongNow(config, user, { enabled, active });
  return wrong === undefined ? undefined : deafSocket(user, wrong, enabled);
}

/** What systemd says of a socket; undefined where there is none. */
type States = Readonly<Record<'enabled' | 'active', string | undefined>>;

function wrongNow(config: Config, user: User, { enabled, active }: States): string | undefined {
  return ifMasked(enabled) ?? wrongWithSocket(expand(config.socket, user), user) ?? unlessState('active', active);
}

function deafSocket(user: User, wrong: string, enabled: string | undefined): Finding {
  return {
    id: 'service-socket',
    severity: 'fail',
    title: "The user's socket does not work, so the gate refuses",
    detail: wrong,
    fix: howToListen(`notp@${String(user.uid)}.service`, socketOf(user), enabled),
    user: user.name,
  };
}

/** Started again, it makes its file anew. systemd starts no socket whose service runs, and enables none that is masked. */
function howToListen(service: string, socket: string, enabled: string | undefined): string {
  const unmask = isMasked(enabled) ? shellCommand`systemctl unmask ${socket}; ` : '';
  return unmask + shellCommand`systemctl stop ${service}; systemctl enable ${socket} && systemctl restart ${socket}`;
}

/** Why the socket at this path is not the private one of `user`; undefined if it is. */
export function wrongWithSocket(socket: string, user: Pick<User, 'uid'>): string | undefined {
  const stats = fs.lstatSync(socket, { throwIfNoEntry: false });
  if (stats === undefined) return `${socket} is not there`;
  if (!stats.isSocket()) return `${socket} is not a socket`;
  if (stats.uid !== user.uid) return `${socket} belongs to uid ${String(stats.uid)}`;
  return (stats.mode & 0o077) === 0 ? undefined : `${socket} has mode ${(stats.mode & 0o7777).toString(8)}, which lets others in`;
}

function unlessState(wanted: string, state: string | undefined): string | undefined {
  return state === undefined || state === wanted ? undefined : `systemd says that it is ${state}`;
}

/** Said before all else, as a masked unit is also inactive and has no socket. */
function ifMasked(enabled: string | undefined): string | undefined {
  return isMasked(enabled) ? `systemd says that it is ${String(enabled)}` : undefined;
}

function isMasked(enabled: string | undefined): boolean {
  return enabled?.startsWith('masked') === true;
}

/**
 * What `systemctl is-enabled` says of the sockets of `users`. It reads the links of all sockets for each that it is asked about, so it is
 * asked only about those that have no link, or a unit of their own.
 */
function enabledStates(users: readonly User[]): string[] {
  const odd = users.filter(({ uid }) => !isSocketEnabled(uid) || hasOwnUnit('socket', uid));
  const said = states('is-enabled', odd.map(socketOf));
  const byUser = new Map(odd.map((user, i) => [user, said[i] ?? '']));
  return users.map((user) => byUser.get(user) ?? 'enabled');
}

function socketOf({ uid }: User): string {
  return `notp@${String(uid)}.socket`;
}

/** One word of systemctl for each unit. */
function states(question: 'is-enabled' | 'is-active', units: readonly string[]): string[] {
  return inParts(units, BATCH).flatMap((some) => statesOf(question, some));
}

function noUser(): Finding {
  return {
    id: 'service-user',
    severity: 'fail',
    title: `There is no system user ${SERVICE_USER}, so there is no state of this host`,
    detail: shellCommand`getent passwd ${SERVICE_USER}`,
    fix: shellCommand`useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin ${SERVICE_USER}`,
  };
}
