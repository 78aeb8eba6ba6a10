/** `notp doctor`: reads the real state of sshd, PAM, systemd and the disk, and reports each way around the gate. It changes nothing. */
import { messageOf, NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { isMember, type Config } from '../system/config.ts';
import { accountName, allUsers, groupsOf, isRoot, realUser, SERVICE_USER, userByName, type User } from '../system/users.ts';
import { openEnrolments } from '../enrolment/open.ts';
import { ownPlace, statePlace, type StatePlace } from '../state/place.ts';
import { examineBeside } from './host/beside.ts';
import { examineClock } from './host/clock.ts';
import { ANYBODY, examineConfiguration } from './host/configuration.ts';
import { examineDenials } from './host/denials.ts';
import { usersWithSealedFile } from './host/enrolled.ts';
import { settled, sorted, type Finding } from './finding.ts';
import { is, setting, type Effective } from './sshd/effective.ts';
import { configOf, gateProgram, meansGate } from './sshd/gate-command.ts';
import { ableFrom, shadowPasswords } from './sshd/can-log-in.ts';
import { tryGate, tryPam } from './host/try-program.ts';
import { examineKeys } from './sshd/keys.ts';
import { examineOutage } from './host/outage.ts';
import { examinePam, pamConfigurations, pamPrograms, type PamService } from './pam/pam.ts';
import { examineUserEnvironment, examineUserUnits } from './pam/environment.ts';
import { servicesWithNotp } from './pam/stack.ts';
import { statusToBe } from '../store/enrolment.ts';
import type { Enrolment, KeptGrant } from '../store/store.ts';
import { examineGrants, grantsIn } from './host/grants.ts';
import { examineHostKeys, examineOtherKeys, isKeyLost } from './host/host-key.ts';
import { withRulesInForce, type RulesInForce } from '../login/stored-rules.ts';
import { letInBy, letInByTouch } from './let-in.ts';
import { peopleOf, type People, type Person } from './people.ts';
import { examinePasswords } from './host/aged-passwords.ts';
import { examineMember } from './host/member.ts';
import { examineSealedFiles } from './host/sealed-files.ts';
import { examineNologin } from './host/nologin.ts';
import { examineModules, examineReadByRoot } from './host/read-by-root.ts';
import { examineAnswers } from './host/answers.ts';
import { examineService, type DoorsInUse } from './host/service.ts';
import { examineShells } from './host/shells.ts';
import { leavesCodeToPam } from './sshd/pam-rules.ts';
import { examineTouch } from './sshd/touch.ts';
import { examineServer, serversFor, type Bystanders, type SshdReport } from './sshd/sshd.ts';
import { examineGoesOn } from './host/goes-on.ts';
import { examineState } from './host/state.ts';
import { examineSudoers } from './pam/sudoers.ts';
import { examineRules, examineStored, letsInUnenrolled } from './host/rules.ts';
import { examinePlaces, examineProgram } from './host/trust.ts';
import { examineUnitReload, unitFiles } from './host/units.ts';
import { heardOf, unlessSilent } from './host/systemd-unseen.ts';

export type { Finding } from './finding.ts';

export interface DoctorOptions {
  readonly config: Config;
  /** Users whose logins are checked; undefined: all enrolled users and root. */
  readonly users: readonly string[] | undefined;
  /** An sshd_config to check instead of that of the running sshd. */
  readonly sshdConfig: string | undefined;
  /** A door that is about to be opened, and is checked as if it were in use. */
  readonly coming?: 'gate' | 'pam' | undefined;
  /** The uids of all whom a setup of a door of sshd is for, whether enrolled or not; throws as allUsers() does. */
  readonly covered?: (() => ReadonlySet<number>) | undefined;
  readonly now: () => number;
  /** Called with a text for people before each step that takes longer with more users, and with how much of it is done, where that is known. */
  readonly progress: (doing: string, of?: Standing) => void;
}

export interface Standing {
  readonly done: number;
  readonly total: number;
}

const ROOT = 'root';
const NEVER_MATCHES = 'P6';
/** The rules about logins by sshd. */
const OF_LOGINS = /^(FC|P)\d+$/;
const NAMED_CONTEXTS = 4;

/**
 * Checks everything and returns the findings, worst first. Without root only the caller's own login is checked.
 * Throws `usage` for an unknown user, `failed` where there is no sshd.
 */
export async function examine(given: DoctorOptions): Promise<readonly Finding[]> {
  const { now, progress } = given;
  progress('Reading the enrolments');
  const { stored, ...config }: RulesInForce = isMember(given.config) ? given.config : await withRulesInForce(given.config, now);
  const options = { ...given, config };
  const place = placeFor(config);
  // Only root checks the state that the service keeps for a user.
  const theirs = !isRoot() && openEnrolments({ config, user: place.owner, now }).heldBy === 'the service';
  const state = theirs || isMember(config) ? { findings: [], enrolments: [] } : await examineState(place, now);
  const hasState = place.kind === 'service' && !isMember(config);
  const active = state.enrolments.filter((each) => statusToBe(each) === 'active');
  const inactive = state.enrolments.filter((each) => !active.includes(each));
  const byThemselves = place.kind === 'user' && isRoot() && options.users === undefined ? await usersWithSealedFile(config) : undefined;
  const enrolled = [...active.map(({ user }) => user), ...(byThemselves?.names ?? [])];
  const { people, missing, renamed } = peopleOf(namesOf(options, enrolled), active);
  if (missing.length > 0 && options.users !== undefined)
    throw new NotpError('usage', `there is no user ${quoted(missing[0] ?? '')}`, 'list the users: getent passwd');
  const grants = hasState ? await grantsIn(place, now) : undefined;
  const { bystanders, unlisted } = bystandersOf(options, people, inactive, grants);
  const servers = await examineServers(options, people, bystanders);
  const doors = doorsOf(servers, options);
  progress('Checking PAM, the service and its files');
  const found = [
    ...(await findingsOf(servers, people, now())),
    ...(await examineGate(config, servers, people)),
    ...(await examineTouches(config, servers, people)),
    ...(isRoot() ? examineAsRoot(servers, { people, renamed }, options) : [withoutRoot()]),
    ...(isRoot() ? await examineDoors(config, servers, options.coming === 'gate' ? people : gated(people, servers), doors) : []),
    ...(await examineServiceAndFiles(config, place, people, { doors, now })),
    ...(isRoot() && (doors.gate || doors.pam) ? await examineBeside(servers.flatMap(({ pid }) => pid ?? [])) : []),
    ...(isRoot() && (doors.gate || doors.pam) ? examineDenials(now()) : []),
    ...(hasState ? await examineOtherKeys(config, place.owner, now) : []),
    ...state.findings,
    ...(isRoot() ? await examineMember(config, place.owner, now()) : []),
    ...(hasState ? await examineOutage(place, now) : []),
    ...examineClock(config, active, now(), state.skewMs),
    ...(isMember(config) ? [] : await examineSealedFiles(config, people, now)),
    ...[...missing.map(userGone), ...renamed.map(userRenamed)].map((finding) => raisedIfUnenrolledAllowed(finding, config, now())),
    ...(byThemselves === undefined ? [] : [byThemselves.finding]),
    ...unlisted,
    ...examineRules(config, { atPam: doors.pam, nowMs: now() }),
    ...(isRoot() ? examineStored(stored, config) : []),
    ...examineGrants(grants, { atPam: doors.pam }),
    ...(doors.gate || doors.pam ? examineContexts(config, active) : []),
  ];
  return sorted(found.map(settled));
}

async function findingsOf(servers: readonly SshdReport[], people: readonly Person[], nowMs: number): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { findings, perUser } of servers)
    for (const finding of findings) found.push(await infoUnlessAble(finding, people, perUser, nowMs));
  return found;
}

/**
 * Root is looked at without an enrolment too. Then it is no failure if its codes never match, which locks it out, or if it can log in by
 * nothing, from anywhere.
 */
async function infoUnlessAble(
  finding: Finding,
  people: readonly Person[],
  perUser: SshdReport['perUser'],
  nowMs: number,
): Promise<Finding> {
  const person = people.find(({ user }) => user.name === finding.user);
  if (finding.severity !== 'fail' || person === undefined || person.enrolments.length > 0) return finding;
  const seen = perUser.get(person.user.name) ?? [];
  const known = { passwords: shadowPasswords(), groups: groupsOf(person.user), nowMs };
  const isOut = OF_LOGINS.test(finding.id) && seen.length > 0 && (await ableFrom(person.user, seen, known)).length === 0;
  return finding.id === NEVER_MATCHES || isOut ? { ...finding, severity: 'info' } : finding;
}

function placeFor(config: Config): StatePlace {
  const self = realUser();
  return isRoot() ? statePlace(config, self) : ownPlace(config, self);
}

function namesOf({ users }: DoctorOptions, enrolled: readonly string[]): string[] {
  const self = realUser().name;
  if (!isRoot() && users?.some((name) => accountName(name) !== self) === true)
    throw new NotpError('not_permitted', "only root can check other users' logins", 'sudo notp doctor');
  return isRoot() ? [...new Set(users ?? [ROOT, ...enrolled])] : [self];
}

/** All other accounts that the passwd database lists, unless the users were named. */
function bystandersOf(
  { config, users, covered, now }: DoctorOptions,
  people: readonly Person[],
  inactive: readonly Enrolment[],
  grants: readonly KeptGrant[] | undefined,
): { readonly bystanders: Bystanders; readonly unlisted: readonly Finding[] } {
  const known = new Set(people.map(({ user }) => user.uid));
  const letIn = letInBy(config, inactive, now(), grants);
  const byTouch = letInByTouch(config, inactive);
  const rest = { areRefused: config.unenrolled === 'deny', letIn, letInByTouch: byTouch, covered: new Set<number>(), nowMs: now() };
  // Of a member only the judges know who is enrolled.
  if (!isRoot() || users !== undefined || isMember(config)) return { bystanders: { people: [], ...rest }, unlisted: [] };
  try {
    const others = allUsers().filter(({ uid }) => !known.has(uid));
    const asPeople = others.map((user) => ({ user, enrolments: [] }));
    return { bystanders: { ...rest, people: asPeople, covered: covered?.() ?? rest.covered, areAllListed: true }, unlisted: [] };
  } catch (error) {
    return { bystanders: { people: [], ...rest }, unlisted: [othersUnseen(error)] };
  }
}

function othersUnseen(error: unknown): Finding {
  const title = 'The accounts that are not enrolled were not checked, as they cannot be listed';
  return { id: 'others-unseen', severity: 'warn', title, detail: messageOf(error), fix: 'check some of them: notp doctor --user NAME' };
}

async function examineServers(
  { sshdConfig, progress }: DoctorOptions,
  people: readonly Person[],
  bystanders: Bystanders,
): Promise<SshdReport[]> {
  const reports: SshdReport[] = [];
  let [done, total] = [0, 0];
  for (const server of serversFor(sshdConfig)) {
    const show = (): void => {
      progress('Asking sshd', { done, total });
    };
    const expect = (questions: number): void => {
      total += questions;
      show();
    };
    const answered = (answers: number): void => {
      done += answers;
      show();
    };
    reports.push(await examineServer(server, people, { expect, progress: answered }, bystanders));
  }
  return reports;
}

/** The gate depends on more than the configuration of sshd: its program, the login shells that start it, and the users' keys. */
async function examineGate(config: Config, servers: readonly SshdReport[], people: readonly Person[]): Promise<Finding[]> {
  const gates = servers.filter(({ doors }) => doors.gate);
  if (gates.length === 0) return [];
  const commands = [...new Set(gates.flatMap(({ gateCommands }) => gateCommands))];
  const programs = [...new Set(commands.flatMap((command) => gateProgram(command) ?? []))].map((program) => examineProgram('FC1', program));
  const trusted = programs.every(({ severity }) => severity === 'ok');
  const keys: Finding[] = [];
  for (const { perUser } of gates) keys.push(...(await examineKeys(people, perUser, config.gate)));
  // A program that others may have changed is never run.
  const tried = isRoot() && trusted ? commands.map(tryGate) : [];
  const services = [...new Set(gates.flatMap(({ pamServices }) => pamServices))];
  return unique([
    ...programs,
    ...tried,
    ...keys,
    ...examineShells(gated(people, gates)),
    ...services.flatMap(examineUserEnvironment),
    ...services.flatMap(examineUserUnits),
  ]);
}

async function examineTouches(config: Config, servers: readonly SshdReport[], people: readonly Person[]): Promise<Finding[]> {
  const about = { letInByTouch: letInByTouch(config), isAsked: (effective: Effective) => isGated(effective) || leavesCodeToPam(effective) };
  const found: Finding[] = [];
  for (const { perUser } of servers) found.push(...(await examineTouch(people, perUser, about)));
  return unique(found);
}

/** The people for whom at least one of the servers forces the gate, from anywhere. */
function gated(people: readonly Person[], gates: readonly SshdReport[]): Person[] {
  return people.filter(({ user }) =>
    gates.some(({ perUser }) => (perUser.get(user.name) ?? []).some(({ effective }) => isGated(effective))),
  );
}

function isGated(effective: Effective): boolean {
  return meansGate(setting(effective, 'forcecommand'));
}

/** The people with an enrolment, under their present or an earlier name. */
function enrolledAmong(people: readonly Person[], renamed: People['renamed']): User[] {
  const names = new Set(renamed.map(({ to }) => to));
  return people.filter(({ user, enrolments }) => enrolments.length > 0 || names.has(user.name)).map(({ user }) => user);
}

/** The checks that only root can do. */
function examineAsRoot(
  servers: readonly SshdReport[],
  { people, renamed }: Pick<People, 'people' | 'renamed'>,
  options: DoctorOptions,
): Finding[] {
  const perUser = servers.map((server) => server.perUser);
  return [...examinePamDoor(servers, enrolledAmong(people, renamed), options), ...examinePasswords(people, perUser, options.now())];
}

function examinePamDoor(servers: readonly SshdReport[], enrolled: readonly User[], { sshdConfig }: DoctorOptions): Finding[] {
  const sshds = ['sshd', ...servers.flatMap(({ pamServices }) => pamServices)];
  const services: PamService[] = [...new Set([...sshds, ...servicesWithNotp()])].map((name) => ({
    ...{ name, sshd: sshds.includes(name) },
    users: sshds.includes(name) ? enrolled.filter((user) => isSentToPam(user, name, servers)) : enrolled,
  }));
  const programs = [...new Set(services.flatMap(pamPrograms))].filter((program) => program.startsWith('/'));
  // A file given with --sshd-config may be a draft.
  const files = servers.flatMap((server) => server.files).filter((file) => file !== sshdConfig);
  const names = services.map(({ name }) => name);
  const units = heardOf('the files of units', unitFiles, []);
  const trusted = [...examineReadByRoot([...files, ...units.answer], names), ...units.unseen];
  const owned = programs.map((program) => examineProgram('P8', program));
  // A program that others may have changed is never run.
  const tried = programs.filter((_, i) => owned[i]?.severity === 'ok').map(tryPam);
  const findings = [...services.flatMap(examinePam), ...examineSudoers(), ...owned, ...tried];
  return unique([
    ...findings,
    ...trusted,
    ...examineModules(names),
    ...examineNologin(),
    ...unlessSilent('what systemd has read', examineUnitReload),
    ...unlessSilent('whether doctor goes on', examineGoesOn),
  ]);
}

/** Whether an sshd that uses the PAM service `service` leaves the code of `user` to PAM, from anywhere. */
function isSentToPam({ name: user }: User, service: string, servers: readonly SshdReport[]): boolean {
  const isSent = (effective: Effective): boolean =>
    !isGated(effective) && leavesCodeToPam(effective) && !(user === ROOT && is(effective, 'permitrootlogin', 'no'));
  return servers.some(({ pamServiceOf, perUser }) =>
    (perUser.get(user) ?? []).some(({ effective }) => pamServiceOf(effective) === service && isSent(effective)),
  );
}

/** The doors in use, and the one that setup is about to open. */
function doorsOf(servers: readonly SshdReport[], { coming }: DoctorOptions): DoorsInUse {
  return {
    gate: coming === 'gate' || servers.some(({ doors }) => doors.gate),
    pam: coming === 'pam' || servicesWithNotp().length > 0 || servers.some(({ doors }) => doors.pam),
  };
}

/** Whether the doors can read the configuration, and the services behind them can decide. */
async function examineDoors(
  config: Config,
  servers: readonly SshdReport[],
  atGate: readonly Person[],
  doors: DoorsInUse,
): Promise<Finding[]> {
  const answers = config.store.kind === 'user' ? [] : await examineAnswers(config, atGate, doors);
  const atGates = servers.flatMap(({ gateCommands }) => gateCommands.flatMap((command) => configOf(command.split(' ')) ?? []));
  const inPam = ['sshd', ...servers.flatMap(({ pamServices }) => pamServices), ...servicesWithNotp()].flatMap(pamConfigurations);
  const named = [
    ...[...new Set(atGates)].map((file) => ({ file, readers: [ANYBODY] })),
    ...[...new Set(inPam)].map((file) => ({ file, readers: [ROOT] })),
  ];
  const found: Finding[] = [];
  for (const { file, readers } of named) found.push(await examineConfiguration(doors, file, readers));
  return [await examineConfiguration(doors), ...unique(found), ...answers];
}

async function examineServiceAndFiles(
  config: Config,
  place: StatePlace,
  people: readonly Person[],
  { doors, now }: { readonly doors: DoorsInUse; readonly now: () => number },
): Promise<Finding[]> {
  if (!isRoot() || config.store.kind === 'user') return [];
  const root = userByName(ROOT);
  const service: User | undefined = place.kind === 'service' ? place.owner : userByName(SERVICE_USER);
  const places =
    service === undefined || root === undefined
      ? []
      : [...examinePlaces(config, service, root), ...(await keysOf(config, { place, service }, now))];
  return [...unlessSilent('the units of notp', () => examineService(config, people, doors)), ...places];
}

/** A member of a fleet has none. */
async function keysOf(
  config: Config,
  { place, service }: { readonly place: StatePlace; readonly service: User },
  now: () => number,
): Promise<Finding[]> {
  return isMember(config) ? [] : examineHostKeys(config, service, await isKeyLost(config, place, now));
}

/** A new `context` in notp.toml renames no enrolment. */
function examineContexts({ contexts }: Config, active: readonly Enrolment[]): Finding[] {
  const enrolled = [...new Set(active.map(({ context }) => context))];
  if (enrolled.length === 0 || enrolled.some((context) => contexts.includes(context))) return [];
  const detail = `notp.toml says context = ${contexts.join(', ')}, and the enrolments are for ${enrolled.slice(0, NAMED_CONTEXTS).join(', ')}`;
  const fix = 'name the context of the enrolments in notp.toml, or notp-enroll the users again';
  return [{ id: 'context', severity: 'fail', title: 'No enrolment is for a context that logs in, so nobody gets in', detail, fix }];
}

/**
 * By a rule with enrol_by, users who were never enrolled get in without a code. Then an enrolment under the wrong name is a failure: its
 * user would pass for one who was never enrolled.
 */
function raisedIfUnenrolledAllowed(finding: Finding, config: Config, nowMs: number): Finding {
  return letsInUnenrolled(config, nowMs) ? { ...finding, severity: 'fail' } : finding;
}

function userGone(name: string): Finding {
  const title = 'An enrolled user does not exist on this host';
  return {
    id: 'user-gone',
    severity: 'warn',
    title,
    detail: shellCommand`getent passwd ${name}`,
    fix: shellCommand`notp revoke --user ${name}`,
    user: name,
  };
}

function userRenamed({ from, to }: { readonly from: string; readonly to: string }): Finding {
  return {
    id: 'user-renamed',
    severity: 'warn',
    title: 'An account was renamed after it was enrolled',
    detail: `${from} is now called ${to} in the passwd database, and logins use the new name`,
    fix: shellCommand`notp-enroll ${to}, and then notp revoke --user ${from}`,
    user: from,
  };
}

function withoutRoot(): Finding {
  const title = 'Without root, only your own login was checked';
  return {
    id: 'not-root',
    severity: 'info',
    title,
    detail: 'not checked: other users, PAM, the service and its state',
    fix: 'sudo notp doctor',
  };
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
