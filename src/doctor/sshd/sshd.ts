/** Checks of sshd: applies the rules to each server's effective configuration, for all people and from every kind of address. */
import * as os from 'node:os';
import { messageOf, NotpError } from '../../error.ts';
import { filesNamedIn, setting, words, type Effective } from './effective.ts';
import { changing, ok, type Finding } from '../finding.ts';
import { gateProgram, meansGate } from './gate-command.ts';
import { examineBystanders, isExemptSomewhere, type BystanderClass } from './bystanders.ts';
import { hasShell, shadowPasswords } from './can-log-in.ts';
import { applyRules, type Doors, type AlikePeople } from './apply-rules.ts';
import type { User } from '../../system/users.ts';
import { groupAlike, groupsAsked, otherSpellings, type Person, type Spelling } from '../people.ts';
import type { LetIn } from '../let-in.ts';
import { ALL_LISTED, mayHideAccounts, othersUnlisted, unlistedIn, type Unlisted } from '../unlisted.ts';
import { hasFirstPass } from '../pam/pam.ts';
import { asksForCode } from '../pam/stack.ts';
import { DEFAULT_SSHD_CONFIG, installedServer, runningServers, type Server } from './servers.ts';
import { serviceServers, socketServers } from './socket-units.ts';
import { readSshdFiles, type Criterion, type SshdFiles } from './files.ts';
import { whyNotRun } from './program.ts';
import { isRootsAlone } from './roots-alone.ts';
import { askAlike, type Progress } from './ask-alike.ts';
import { askServer, checkServer, withKeyFolder, type Asked, type Refusal } from './run.ts';
import { leavesCodeToPam } from './pam-rules.ts';
import type { PamOf } from './rule.ts';
import {
  askedTwice,
  noDoor,
  notLoaded,
  notRun,
  refused,
  replaced,
  spelledOtherwise,
  unaskable,
  unseen,
  withoutOptions,
} from './findings.ts';
import { differing, type Seen } from './seen.ts';
import { unasked, vantages, type Vantage } from './vantage.ts';

/** The results for one server, which later checks use. */
export interface SshdReport {
  readonly findings: readonly Finding[];
  readonly doors: Doors;
  /** The names of its PAM services: a Match block may name another (OpenSSH 9.8). */
  readonly pamServices: readonly string[];
  readonly pamServiceOf: (effective: Effective) => string;
  /** The files of its configuration, the folders in which it searches for more, and what else it reads as root for any of its users. */
  readonly files: readonly string[];
  /** Its ForceCommands that are the gate and nothing else. */
  readonly gateCommands: readonly string[];
  /** The configurations of each user, over all kinds of connections. */
  readonly perUser: ReadonlyMap<string, Seen>;
  /** The number of questions that it answered. */
  readonly asked: number;
  /** Absent if it is not running. */
  readonly pid?: number | undefined;
}

const FIXED_PAM_SERVICE = 9_008;
/** Rules that are broken by a configuration that lets nobody in: for somebody without an enrolment that is no matter. */
const LOCK_OUTS = ['FC18', 'P1', 'P6'];
const NO_DOORS: Doors = { gate: false, pam: false };

/**
 * The servers to check. With `sshdConfig`: the installed sshd with that file. Otherwise those that run or that systemd starts for a
 * connection, and also the installed one if none of them can be trusted. Throws `failed` if there is no sshd.
 */
export function serversFor(sshdConfig: string | undefined): Server[] {
  const installed = installedServer(sshdConfig ?? DEFAULT_SSHD_CONFIG);
  const running = sshdConfig === undefined ? [...runningServers(), ...startedBySystemd(socketServers)] : [];
  const later =
    sshdConfig === undefined ? startedBySystemd(serviceServers).filter((each) => !running.some((other) => isLike(each, other))) : [];
  const servers = [...running, ...later];
  if (servers.some(({ doubt }) => doubt === undefined)) return servers;
  if (installed !== undefined) return [...servers, installed];
  if (servers.length > 0) return servers;
  throw new NotpError('failed', 'there is no sshd on this host', 'install openssh-server');
}

/** Where systemd cannot be asked, one of which nothing is known stands for them. */
function startedBySystemd(find: () => Server[]): Server[] {
  try {
    return find();
  } catch (error) {
    const unknown = { program: '', name: 'sshd', config: DEFAULT_SSHD_CONFIG, options: [] };
    return [{ ...unknown, unit: 'any that systemd starts', doubt: messageOf(error) }];
  }
}

/** Whether both read the same configuration in the same way. */
function isLike(one: Server, other: Server): boolean {
  if (one.doubt !== undefined) return one.doubt === other.doubt;
  return one.config === other.config && one.options.join(' ') === other.options.join(' ') && one.isCut === other.isCut;
}

/** Accounts without an enrolment, in any number, and what else is needed to judge them. */
export interface Bystanders {
  readonly people: readonly Person[];
  /** Whether an account without an enrolment is refused at the doors. */
  readonly areRefused: boolean;
  readonly letIn?: LetIn;
  readonly letInByTouch?: LetIn;
  /** The uids of those whom a setup is for. */
  readonly covered: ReadonlySet<number>;
  readonly nowMs: number;
  /** Whether `people` are all whom the passwd database lists, so that others are to be found by the Match lines. */
  readonly areAllListed?: boolean;
}

const nobody: LetIn = () => new Set();
const NO_BYSTANDERS: Bystanders = { people: [], areRefused: true, covered: new Set(), nowMs: 0 };

/** Checks one server for `people`. */
export async function examineServer(
  server: Server,
  people: readonly Person[],
  hear: Progress,
  bystanders: Bystanders = NO_BYSTANDERS,
): Promise<SshdReport> {
  const which = server.unit ?? (server.pid === undefined ? undefined : `pid ${changing(server.pid)}`);
  const where = `sshd${which === undefined ? '' : ` (${which})`} with ${server.config}`;
  const doubt = server.doubt ?? whyNotRun(server.program);
  if (doubt !== undefined) return onlyFinding(notRun(where, doubt));
  if (server.isCut === true) return onlyFinding(withoutOptions(server));
  let files: SshdFiles;
  try {
    files = readSshdFiles(server.config);
  } catch (error) {
    return onlyFinding(unseen(where, error));
  }
  return await withKeyFolder(async (folder) => {
    const asked = await checkServer(server, folder);
    if ('refused' in asked) return onlyFinding(refused(where, asked.refused));
    const unlisted = bystanders.areAllListed === true ? unlistedIn(files.criteria, [...people, ...bystanders.people]) : ALL_LISTED;
    const others = askable([...bystanders.people, ...unlisted.people]);
    const answered = await ask(server, asked, { people: askable(people), bystanders: others, imagined: unlisted.imagined }, files, hear);
    if ('refused' in answered) return onlyFinding(refused(where, answered.refused));
    const report = await reportOf(server, asked, answered, files, { where, bystanders, unlisted });
    const unknown = people.filter(({ user }) => !canBeAsked(user.name)).map(({ user }) => unaskable(where, user.name));
    return { ...report, pid: server.pid, findings: [...report.findings, ...unknown] };
  });
}

function askable(people: readonly Person[]): Person[] {
  return people.filter(({ user }) => canBeAsked(user.name));
}

/** The answers for people whom sshd treats alike, and for people under their other names. */
interface Answers {
  readonly people: readonly AlikePeople[];
  readonly spellings: readonly AskedAs[];
  readonly bystanders: readonly BystanderClass[];
  /** For names that nobody may have. */
  readonly imagined: readonly { readonly name: string; readonly seen: AlikePeople['seen'] }[];
  /** For somebody whom no Match line names, at some place and from each vantage. */
  readonly anybody: { readonly somewhere: Effective; readonly seen: AlikePeople['seen'] };
  /** Lines and names that sshd could not be asked about. */
  readonly unclear: readonly string[];
  /** The number of questions. */
  readonly asked: number;
}
interface AskedAs extends AlikePeople {
  readonly name: string;
}

async function ask(
  server: Server,
  asked: Asked,
  { people, bystanders, imagined }: Record<'people' | 'bystanders', readonly Person[]> & Pick<Unlisted, 'imagined'>,
  { criteria, unclear, blocks }: SshdFiles,
  hear: Progress,
): Promise<Answers | Refusal> {
  const first = await askServer(server, asked, [{ user: NOBODY_NAMED, vantage: SOMEWHERE }], () => undefined);
  if ('refused' in first) return first;
  const [somewhere = NOTHING] = first;
  const ports = first.flatMap((each) => words(each, 'port').map(Number));
  const from = vantages(criteria, { ports, own: ownAddresses() });
  const spellings = spellingsOf(people, criteria);
  const others = spellings.found.filter(({ name }) => canBeAsked(name));
  // Asked once, as a directory may have thousands.
  const everybody = [...people, ...bystanders].map(({ user }) => user.name);
  const groups = groupsAsked([...new Set([...everybody, ...others.map(({ name }) => name)])], criteria);
  const alike = [people, bystanders].map((some) => groupAlike(some, criteria, groups).map((group) => group.map(({ user }) => user)));
  const [known = [], unknown = []] = alike;
  const nobodies = imagined.filter(canBeAsked);
  const names = [
    ...[...known, ...unknown].map(([user]) => user?.name ?? ''),
    ...others.map(({ name }) => name),
    ...nobodies,
    ...(unknown.length + nobodies.length === 0 ? [] : [NOBODY_NAMED]),
  ];
  const answers = await askAlike(server, asked, { names, from, groups }, { blocks }, hear);
  if ('refused' in answers) return answers;
  const { seen } = answers;
  const seenOf = (i: number): AlikePeople['seen'] => seen[i] ?? [];
  return {
    people: merged(known, (i) => seenOf(i)).map(([row, users]) => ({ names: users.map(({ name }) => name), seen: row })),
    bystanders: merged(unknown, (i) => seenOf(known.length + i)).map(([row, users]) => ({ users, seen: row })),
    spellings: others.map(({ name, user }, i) => ({ name, names: [user.name], seen: seenOf(known.length + unknown.length + i) })),
    imagined: nobodies.map((name, i) => ({ name, seen: seenOf(known.length + unknown.length + others.length + i) })),
    anybody: { somewhere, seen: unknown.length + nobodies.length === 0 ? [] : seenOf(names.length - 1) },
    unclear: [...unclear, ...spellings.unclear],
    asked: answers.asked,
  };
}

/** The groups for which sshd says the same everywhere as one. */
function merged(groups: readonly User[][], seenOf: (i: number) => AlikePeople['seen']): [AlikePeople['seen'], User[]][] {
  const byRow = Map.groupBy(groups.keys(), seenOf);
  return [...byRow].map(([row, all]) => [row, all.flatMap((i) => groups[i] ?? [])]);
}

function spellingsOf(people: readonly Person[], criteria: readonly Criterion[]): { found: Spelling[]; unclear: string[] } {
  try {
    return { found: otherSpellings(people, criteria), unclear: [] };
  } catch (error) {
    return { found: [], unclear: [`Match for other names of the same uid: ${messageOf(error)}`] };
  }
}

/** `sshd -T -C` reads a comma as the end of the name. */
export function canBeAsked(name: string): boolean {
  return !name.includes(',');
}

/** Stands for those whom no Match line tells from others: nobody has this name. */
const NOBODY_NAMED = 'notp-doctor-nobody';
const NOTHING: Effective = new Map();

/** An arbitrary connection from outside. */
export const SOMEWHERE: Vantage = {
  address: '203.0.113.7',
  host: '203.0.113.7',
  localAddress: '192.0.2.1',
  localPort: 22,
  routingDomain: '',
};

async function reportOf(
  server: Server,
  { version }: Asked,
  { people, spellings, bystanders, imagined, anybody, unclear, asked }: Answers,
  files: SshdFiles,
  {
    where,
    bystanders: { areRefused, letIn = nobody, letInByTouch = nobody, covered, nowMs, areAllListed },
    unlisted,
  }: { readonly where: string; readonly bystanders: Bystanders; readonly unlisted: Unlisted },
): Promise<SshdReport> {
  const all = [...people, ...bystanders].flatMap(({ seen }) => seen.map(({ effective }) => effective));
  const [any] = all;
  const commands = [...new Set(all.map((effective) => setting(effective, 'forcecommand')))];
  const serviceOf = (effective: Effective): string => pamServiceOf(server, version, effective);
  const pam = pamOf(serviceOf);
  const pamServices = all.length === 0 ? [server.name] : [...new Set([...new Set(all)].map(serviceOf))];
  const doors = {
    gate: commands.some((command) => meansGate(command)),
    pam: all.length === 0 ? asksForCode(server.name) : all.some((effective) => pam(effective).asks),
  };
  const isAskedByPam = (effective: Effective): boolean => leavesCodeToPam(effective) && pam(effective).asks;
  const about = {
    version,
    where,
    unasked: [...unasked(files.criteria).map((criterion) => `Match ${criterion}`), ...unclear],
    pam,
    anybody: anybody.somewhere,
    isRootsAlone,
  };
  const rules = doors.gate || doors.pam ? applyRules(people, doors, about) : [noDoor(where)];
  const underOtherNames = spellings.flatMap((each) => failuresUnder(each, applyRules([each], doors, about), rules));
  const broken = ({ users, seen }: BystanderClass): Finding[] =>
    failures(applyRules([{ names: users.slice(0, 1).map(({ name }) => name), seen }], doors, about)).filter(
      ({ id }) => !LOCK_OUTS.includes(id) && !failures(rules).some((rule) => rule.id === id),
    );
  const isAskedTwice = ({ seen }: Pick<AlikePeople, 'seen'>): boolean =>
    seen.some(({ effective }) => isForced(effective) && isAskedByPam(effective));
  const twice = [
    ...people.flatMap((each) => (isAskedTwice(each) ? each.names : [])),
    ...bystanders.flatMap((each) => (isAskedTwice(each) ? each.users.filter(hasShell).map(({ name }) => name) : [])),
  ];
  const judged = {
    where,
    doors,
    isAskedByPam,
    anybody: anybody.seen,
    passwords: shadowPasswords(pamServices),
    areRefused,
    letIn,
    letInByTouch,
    covered,
    nowMs,
    broken,
  };
  const beside = doors.gate || doors.pam ? await examineBystanders(bystanders, judged) : [];
  const exempt = imagined.filter(({ seen }) => isExemptSomewhere(seen, judged)).map(({ name }) => name);
  const hidden = (doors.gate || doors.pam) && areAllListed === true && mayHideAccounts() ? [othersUnlisted(where, unlisted, exempt)] : [];
  const loaded = [...replaced(server, where), ...notLoaded(server, any, files, where)];
  const findings = [
    ok('sshd-config', 'sshd accepts its configuration', where),
    ...loaded,
    ...rules,
    ...underOtherNames,
    ...beside,
    ...hidden,
    ...(twice.length === 0 ? [] : [askedTwice(where, twice)]),
  ];
  return {
    ...{
      findings,
      doors,
      pamServices,
      pamServiceOf: serviceOf,
      files: [...files.files, ...files.folders, ...new Set([...new Set(all)].flatMap(filesNamedIn))],
    },
    gateCommands: commands.filter((command) => gateProgram(command) !== undefined),
    perUser: new Map(
      people.flatMap(({ names, seen }) => {
        const each = differing(seen);
        return names.map((name) => [name, each] as const);
      }),
    ),
    asked,
  };
}

function isForced(effective: Effective): boolean {
  return meansGate(setting(effective, 'forcecommand'));
}

/** What is known of the PAM service of each connection; each service is read once. */
function pamOf(serviceOf: (effective: Effective) => string): (effective: Effective) => PamOf {
  const known = new Map<string, PamOf>();
  return (effective) => {
    const service = serviceOf(effective);
    const found = known.get(service) ?? { service, asks: asksForCode(service), firstPass: hasFirstPass(service) };
    known.set(service, found);
    return found;
  };
}

function failures(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ severity }) => severity === 'fail');
}

/** The first failure that occurs only under another name of the user. */
function failuresUnder({ name }: AskedAs, found: readonly Finding[], rules: readonly Finding[]): Finding[] {
  const isKnown = ({ id, user }: Finding): boolean => rules.some((rule) => rule.id === id && rule.user === user);
  const first = found.find((finding) => finding.severity === 'fail' && finding.user !== undefined && !isKnown(finding));
  return first === undefined ? [] : [spelledOtherwise(name, first)];
}

function pamServiceOf({ name }: Server, version: number | undefined, effective: Effective): string {
  const service = setting(effective, 'pamservicename');
  if (service !== '') return service;
  return version !== undefined && version >= FIXED_PAM_SERVICE ? 'sshd' : name;
}

function onlyFinding(finding: Finding): SshdReport {
  return {
    ...{ findings: [finding], doors: NO_DOORS, pamServices: ['sshd'], pamServiceOf: () => 'sshd' },
    ...{ files: [], gateCommands: [], perUser: new Map(), asked: 0 },
  };
}

/** One address of each network that this host is in. */
export function ownAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter(({ internal, address }) => !internal && !address.toLowerCase().startsWith('fe80:')).map(({ address }) => address);
}
