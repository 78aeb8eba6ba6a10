/** Checks of sshd: applies the rules to each server's effective configuration, for all people and from every kind of address. */
import * as os from 'node:os';
import { messageOf, NotpError } from '../../error.ts';
import { filesNamedIn, setting, words, type Effective } from './effective.ts';
import { changing, ok, type Finding } from '../finding.ts';
import { gateProgram, meansGate } from './gate-command.ts';
import { examineBystanders, isExemptSomewhere, type BystanderClass } from './bystanders.ts';
import { shadowPasswords } from './can-log-in.ts';
import { applyRules, type Doors, type AlikePeople } from './apply-rules.ts';
import { groupAlike, otherSpellings, type Person, type Spelling } from '../people.ts';
import type { LetIn } from '../let-in.ts';
import { ALL_LISTED, mayHideAccounts, othersUnlisted, unlistedIn, type Unlisted } from '../unlisted.ts';
import { hasFirstPass } from '../pam/pam.ts';
import { asksForCode } from '../pam/stack.ts';
import { DEFAULT_SSHD_CONFIG, installedServer, runningServers, type Server } from './servers.ts';
import { serviceServers, socketServers } from './socket-units.ts';
import { readSshdFiles, type Criterion, type SshdFiles } from './files.ts';
import { whyNotRun } from './program.ts';
import { isRootsAlone } from './roots-alone.ts';
import { askServer, checkServer, withKeyFolder, type Asked, type Question, type Refusal } from './run.ts';
import { leavesCodeToPam } from './pam-rules.ts';
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
  /** The name of its PAM service. */
  readonly pamService: string;
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

/** Called with the number of questions to come, then with the number of new answers. */
export interface Progress {
  readonly expect: (questions: number) => void;
  readonly progress: (answers: number) => void;
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
  const running = sshdConfig === undefined ? [...runningServers(), ...socketServers()] : [];
  const later = sshdConfig === undefined ? serviceServers().filter((each) => !running.some((server) => isLike(each, server))) : [];
  const servers = [...running, ...later];
  if (servers.some(({ doubt }) => doubt === undefined)) return servers;
  if (installed !== undefined) return [...servers, installed];
  if (servers.length > 0) return servers;
  throw new NotpError('failed', 'there is no sshd on this host', 'install openssh-server');
}

/** Whether both read the same configuration in the same way. */
function isLike(one: Server, other: Server): boolean {
  return one.config === other.config && one.options.join(' ') === other.options.join(' ') && one.isCut === other.isCut;
}

/** Accounts without an enrolment, in any number, and what else is needed to judge them. */
export interface Bystanders {
  readonly people: readonly Person[];
  /** Whether an account without an enrolment is refused at the doors. */
  readonly areRefused: boolean;
  readonly letIn?: LetIn;
  /** The uids of those whom a setup is for. */
  readonly covered: ReadonlySet<number>;
  readonly nowMs: number;
  /** Whether `people` are all whom the passwd database lists, so that others are to be found by the Match lines. */
  readonly areAllListed?: boolean;
}

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
}
interface AskedAs extends AlikePeople {
  readonly name: string;
}

async function ask(
  server: Server,
  asked: Asked,
  { people, bystanders, imagined }: Record<'people' | 'bystanders', readonly Person[]> & Pick<Unlisted, 'imagined'>,
  { criteria, unclear }: SshdFiles,
  { expect, progress }: Progress,
): Promise<Answers | Refusal> {
  const first = await askServer(server, asked, [{ user: NOBODY_NAMED, vantage: SOMEWHERE }], () => undefined);
  if ('refused' in first) return first;
  const [somewhere = NOTHING] = first;
  const ports = first.flatMap((each) => words(each, 'port').map(Number));
  const from = vantages(criteria, { ports, own: ownAddresses() });
  const groups = groupAlike(people, criteria).map((group) => ({
    name: group[0]?.user.name ?? '',
    names: group.map(({ user }) => user.name),
  }));
  const spellings = spellingsOf(people, criteria);
  const others = spellings.found.map(({ name, user }) => ({ name, names: [user.name] }));
  const classes = groupAlike(bystanders, criteria).map((group) => ({
    name: group[0]?.user.name ?? '',
    users: group.map(({ user }) => user),
  }));
  const named = [...groups, ...others.filter(({ name }) => canBeAsked(name))];
  const nobodies = imagined.filter(canBeAsked).map((name) => ({ name }));
  const all = [...named, ...classes, ...nobodies, ...(classes.length + nobodies.length === 0 ? [] : [{ name: NOBODY_NAMED }])];
  const questions: Question[] = all.flatMap(({ name: user }) => from.map((vantage) => ({ user, vantage })));
  expect(questions.length);
  const answers = await askServer(server, asked, questions, progress);
  if ('refused' in answers) return answers;
  const seen = all.map((_, i) => from.flatMap((vantage, j) => pair(vantage, answers[i * from.length + j])));
  const answered = named.map((each, i) => ({ ...each, seen: seen[i] ?? [] }));
  return {
    people: answered.slice(0, groups.length),
    spellings: answered.slice(groups.length),
    bystanders: classes.map(({ users }, i) => ({ users, seen: seen[named.length + i] ?? [] })),
    imagined: nobodies.map((each, i) => ({ ...each, seen: seen[named.length + classes.length + i] ?? [] })),
    anybody: { somewhere, seen: seen[named.length + classes.length + nobodies.length] ?? [] },
    unclear: [...unclear, ...spellings.unclear],
  };
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

function pair(vantage: Vantage, effective: Effective | undefined): { vantage: Vantage; effective: Effective }[] {
  return effective === undefined ? [] : [{ vantage, effective }];
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
  { people, spellings, bystanders, imagined, anybody, unclear }: Answers,
  files: SshdFiles,
  {
    where,
    bystanders: { areRefused, letIn = () => new Set(), covered, nowMs, areAllListed },
    unlisted,
  }: { readonly where: string; readonly bystanders: Bystanders; readonly unlisted: Unlisted },
): Promise<SshdReport> {
  const all = [...people, ...bystanders].flatMap(({ seen }) => seen.map(({ effective }) => effective));
  const [any] = all;
  const commands = [...new Set(all.map((effective) => setting(effective, 'forcecommand')))];
  const pamService = any === undefined ? server.name : pamServiceOf(server, version, any);
  const doors = { gate: commands.some((command) => meansGate(command)), pam: asksForCode(pamService) };
  const about = {
    version,
    where,
    unasked: [...unasked(files.criteria).map((criterion) => `Match ${criterion}`), ...unclear],
    firstPass: hasFirstPass(pamService),
    anybody: anybody.somewhere,
    isRootsAlone,
  };
  const rules = doors.gate || doors.pam ? applyRules(people, doors, about) : [noDoor(where)];
  const underOtherNames = spellings.flatMap((each) => failuresUnder(each, applyRules([each], doors, about), rules));
  const broken = ({ users, seen }: BystanderClass): Finding[] =>
    failures(applyRules([{ names: users.slice(0, 1).map(({ name }) => name), seen }], doors, about)).filter(
      ({ id }) => !LOCK_OUTS.includes(id) && !failures(rules).some((rule) => rule.id === id),
    );
  const twice = people.flatMap(({ names, seen }) => (seen.some(({ effective }) => isAskedTwice(effective, doors)) ? names : []));
  const judged = { where, doors, anybody: anybody.seen, passwords: shadowPasswords(pamService), areRefused, letIn, covered, nowMs, broken };
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
    ...{ findings, doors, pamService, files: [...files.files, ...files.folders, ...new Set([...new Set(all)].flatMap(filesNamedIn))] },
    gateCommands: commands.filter((command) => gateProgram(command) !== undefined),
    perUser: new Map(
      people.flatMap(({ names, seen }) => {
        const each = differing(seen);
        return names.map((name) => [name, each] as const);
      }),
    ),
    asked: all.length,
  };
}

/** Whether sshd leaves a code to PAM and forces the gate as well. */
function isAskedTwice(effective: Effective, { gate, pam }: Doors): boolean {
  return gate && pam && meansGate(setting(effective, 'forcecommand')) && leavesCodeToPam(effective);
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
  return { findings: [finding], doors: NO_DOORS, pamService: 'sshd', files: [], gateCommands: [], perUser: new Map(), asked: 0 };
}

/** One address of each network that this host is in. */
export function ownAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter(({ internal, address }) => !internal && !address.toLowerCase().startsWith('fe80:')).map(({ address }) => address);
}
