/** The family of sshd: each server's effective configuration against the rules, for all people from everywhere. */
import * as os from 'node:os';
import { NotpError } from '../error.ts';
import { setting, words, type Effective } from './effective.ts';
import { ok, type Finding } from './finding.ts';
import { gateProgram, meansGate } from './gate-command.ts';
import { judge, type Doors, type Judged } from './judge.ts';
import { alike, type Person } from './people.ts';
import { hasFirstPass } from './pam.ts';
import { asksForCode } from './pam-stack.ts';
import { DEFAULT_SSHD_CONFIG, installedServer, runningServers, type Server } from './sshd-servers.ts';
import { readSshdFiles, type SshdFiles } from './sshd-files.ts';
import { isRootsAlone } from './roots-alone.ts';
import { askServer, checkServer, withKeyFolder, type Asked, type Question, type Refusal } from './sshd-run.ts';
import { noDoor, notLoaded, refused, unseen } from './sshd-findings.ts';
import { unasked, vantages, type Vantage } from './vantage.ts';

/** What was found out about one server, for the families that follow. */
export interface SshdReport {
  readonly findings: readonly Finding[];
  readonly doors: Doors;
  /** What PAM calls it. */
  readonly pamService: string;
  /** What it forces, where that is the gate and nothing else. */
  readonly gateCommands: readonly string[];
  /** The configuration of each user, from outside. */
  readonly perUser: ReadonlyMap<string, Effective>;
  /** How many questions it answered. */
  readonly asked: number;
}

/** Hears how many questions there will be, and then of answers as they come. */
export interface Progress {
  readonly expect: (questions: number) => void;
  readonly progress: (answers: number) => void;
}

const FIXED_PAM_SERVICE = 9_008;
const NO_DOORS: Doors = { gate: false, pam: false };

/** The servers to judge: the one that a file was named for, else those that run, else the one that is installed. Throws `failed` where there is no sshd. */
export function serversFor(sshdConfig: string | undefined): Server[] {
  const installed = installedServer(sshdConfig ?? DEFAULT_SSHD_CONFIG);
  const servers = sshdConfig === undefined ? runningServers() : [];
  if (servers.length > 0) return servers;
  if (installed !== undefined) return [installed];
  throw new NotpError('failed', 'there is no sshd on this host', 'install openssh-server');
}

/** Judges one server. */
export async function examineServer(server: Server, people: readonly Person[], hear: Progress): Promise<SshdReport> {
  const where = `sshd${server.pid === undefined ? '' : ` (pid ${String(server.pid)})`} with ${server.config}`;
  let files: SshdFiles;
  try {
    files = readSshdFiles(server.config);
  } catch (error) {
    return nothing(unseen(where, error));
  }
  return await withKeyFolder(async (folder) => {
    const asked = await checkServer(server, folder);
    if ('refused' in asked) return nothing(refused(where, asked.refused));
    const judged = await ask(server, asked, people, files, hear);
    return 'refused' in judged ? nothing(refused(where, judged.refused)) : reportOf(server, asked, judged, files, where);
  });
}

async function ask(
  server: Server,
  asked: Asked,
  people: readonly Person[],
  { criteria }: SshdFiles,
  { expect, progress }: Progress,
): Promise<readonly Judged[] | Refusal> {
  const first = await askServer(server, asked, [{ user: 'root', vantage: SOMEWHERE }], () => undefined);
  if ('refused' in first) return first;
  const ports = first.flatMap((each) => words(each, 'port').map(Number));
  const from = vantages(criteria, { ports, own: ownAddresses() });
  const groups = alike(people, criteria);
  const questions: Question[] = groups.flatMap((group) => from.map((vantage) => ({ user: group[0]?.user.name ?? '', vantage })));
  expect(questions.length);
  const answers = await askServer(server, asked, questions, progress);
  if ('refused' in answers) return answers;
  return groups.map((group, i) => ({
    names: group.map(({ user }) => user.name),
    seen: from.flatMap((vantage, j) => pair(vantage, answers[i * from.length + j])),
  }));
}

function pair(vantage: Vantage, effective: Effective | undefined): { vantage: Vantage; effective: Effective }[] {
  return effective === undefined ? [] : [{ vantage, effective }];
}

/** Anywhere: for what no Match line decides. */
const SOMEWHERE = { address: '203.0.113.7', host: '203.0.113.7', localAddress: '192.0.2.1', localPort: 22, routingDomain: '' };

function reportOf(server: Server, { version }: Asked, people: readonly Judged[], files: SshdFiles, where: string): SshdReport {
  const all = people.flatMap(({ seen }) => seen.map(({ effective }) => effective));
  const [any] = all;
  const commands = [...new Set(all.map((effective) => setting(effective, 'forcecommand')))];
  const pamService = any === undefined ? server.name : pamServiceOf(server, version, any);
  const doors = { gate: commands.some((command) => meansGate(command)), pam: asksForCode(pamService) };
  const about = { version, where, unasked: unasked(files.criteria), firstPass: hasFirstPass(pamService), isRootsAlone };
  const rules = doors.gate || doors.pam ? judge(people, doors, about) : [noDoor(where)];
  const findings = [ok('sshd-config', 'sshd accepts its configuration', where), ...notLoaded(server, any, files, where), ...rules];
  return {
    ...{ findings, doors, pamService },
    gateCommands: commands.filter((command) => gateProgram(command) !== undefined),
    perUser: new Map(
      people.flatMap(({ names, seen }) => names.flatMap((name) => (seen[0] === undefined ? [] : [[name, seen[0].effective] as const]))),
    ),
    asked: all.length,
  };
}

function pamServiceOf({ name }: Server, version: number | undefined, effective: Effective): string {
  const told = setting(effective, 'pamservicename');
  if (told !== '') return told;
  return version !== undefined && version >= FIXED_PAM_SERVICE ? 'sshd' : name;
}

function nothing(finding: Finding): SshdReport {
  return { findings: [finding], doors: NO_DOORS, pamService: 'sshd', gateCommands: [], perUser: new Map(), asked: 0 };
}

/** One address of each network that this host is in. */
function ownAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter(({ internal, address }) => !internal && !address.toLowerCase().startsWith('fe80:')).map(({ address }) => address);
}
