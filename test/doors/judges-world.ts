/** A fleet with judges and members: each with its certificate, its configuration and its services. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { atEnd } from '../support/cleanup.ts';
import { freePort } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import {
  builtNotp,
  installNotp,
  must,
  runAs,
  SBIN_PATH,
  scratchFolder,
  serviceUser,
  writeConfig,
  type TestUser,
} from '../support/world.ts';
import { listening, startService, type Service } from './serve-world.ts';

/** For the port of a judge. */
const LISTENER = listening(`port, service_uid, service_gid, words = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', port))`);

/** The folder of an authority, made by notp. */
export function authority(name: string): string {
  const folder = path.join(scratchFolder(`authority-${name}`), 'ca');
  must([builtNotp(), 'fleet', 'init', folder]);
  return folder;
}

/** Puts a new certificate for `name` where a host in `folder` has it. */
export function certify(from: string, name: string, folder: string, words: readonly string[] = []): void {
  must([builtNotp(), 'fleet', 'host-cert', from, name, ...words]);
  install(from, name, folder);
}

/** Puts the certificate for `name` that is there where a host in `folder` has it. */
export function install(from: string, name: string, folder: string): void {
  for (const [file, as] of [
    [`${name}.crt`, 'tls.crt'],
    [`${name}.key`, 'tls.key'],
    ['ca.crt', 'tls-ca.crt'],
  ] as const) {
    fs.copyFileSync(path.join(from, file), path.join(folder, as));
    fs.chmodSync(path.join(folder, as), 0o644);
  }
  const { uid, gid } = serviceUser();
  fs.chownSync(path.join(folder, 'tls.key'), uid, gid);
  fs.chmodSync(path.join(folder, 'tls.key'), 0o400);
}

/** A certificate of `from` for `name` that was over long ago, in its folder. */
export function overLongAgo(from: string, name: string): void {
  const at = (file: string): string => path.join(from, file);
  const asked = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-subj', `/CN=${name}`];
  must(['openssl', 'req', '-config', '/dev/null', '-new', ...asked, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]);
  const extensions = `[e]\nextendedKeyUsage = clientAuth\nsubjectAltName = DNS:${name}\n`;
  const sections = `[ca]\ndefault_ca = c\n[c]\ndatabase = ${at('index')}\nnew_certs_dir = ${from}\nrand_serial = yes\ndefault_md = sha256\npolicy = p\n`;
  fs.writeFileSync(at('index'), '');
  fs.writeFileSync(at('over.cnf'), `${sections}x509_extensions = e\n[p]\ncommonName = supplied\n${extensions}`);
  const by = ['-config', at('over.cnf'), '-cert', at('ca.crt'), '-keyfile', at('ca.key')];
  const times = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
  must(['openssl', 'ca', '-batch', ...by, ...times, '-in', at(`${name}.csr`), '-out', at(`${name}.crt`)]);
}

/** The certificate in `folder`, its key and the authority. */
export function filesIn(folder: string): { cert: string; key: string; ca: string } {
  const text = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');
  return { cert: text('tls.crt'), key: text('tls.key'), ca: text('tls-ca.crt') };
}

/** The lines of [fleet]: where install() puts the files. */
export function fleetLines(folder: string): string {
  const at = (name: string): string => path.join(folder, name);
  return `[fleet]\ncertificate = "${at('tls.crt')}"\nkey = "${at('tls.key')}"\nca_file = "${at('tls-ca.crt')}"\n`;
}

export interface FleetJudge {
  readonly port: number;
  readonly child: () => ChildProcess;
  readonly stderr: () => string;
  /** Starts it, at first or again. */
  start(): Promise<void>;
}

/** The judge whose configuration is `config`, on a port of its own; not started. */
export async function fleetJudge(config: string): Promise<FleetJudge> {
  const port = await freePort();
  const { uid, gid } = serviceUser();
  const notp = installNotp(path.dirname(config));
  const children: ChildProcess[] = [];
  let stderr = '';
  const child = (): ChildProcess => {
    const last = children.at(-1);
    if (last === undefined) throw new Error('it was not started');
    return last;
  };
  const start = async (): Promise<void> => {
    const words = [...[port, uid, gid].map(String), notp, 'serve', 'fleet', '--config', config];
    const started = spawn('python3', ['-c', LISTENER, ...words], { env: { PATH: SBIN_PATH }, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    children.push(started);
    started.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    await new Promise((resolve) => started.stdout.once('data', resolve));
  };
  atEnd(() => {
    for (const each of children) each.kill('SIGKILL');
  });
  return { port, child, stderr: () => stderr, start };
}

export interface Member {
  readonly folder: string;
  readonly config: string;
  /** Starts the service that PAM asks. */
  startJudge(): Promise<Service>;
  /** Starts the service of the gate. */
  startFor(user: TestUser): Promise<Service>;
  pam(user: TestUser, proof: string, environment?: NodeJS.ProcessEnv): Promise<Ran>;
  /** Logs in at the gate, and runs a command that prints "in". */
  gate(user: TestUser, proof: string): Promise<Ran>;
  records(): Record<string, unknown>[];
}

/** A member that asks the judges on `ports`, and has no certificate yet. */
export function fleetMember(name: string, ports: readonly number[]): Member {
  const folder = scratchFolder(`member-${name}`);
  const service = serviceUser();
  const judges = JSON.stringify(ports.map((port) => `localhost:${String(port)}`));
  const config = writeConfig(folder, {
    top: `secrets = "store"\nsocket = "${folder}/run/%U.sock"\njudge = "${folder}/run/judge.sock"\n`,
    tables: `${fleetLines(folder)}judges = ${judges}\n`,
  });
  fs.mkdirSync(`${folder}/run`);
  fs.mkdirSync(`${folder}/log`, { mode: 0o700 });
  fs.chownSync(`${folder}/log`, service.uid, service.gid);
  const notp = installNotp(folder);
  const start = (uid: number, socket: string, whose: string): Promise<Service> =>
    startService({ service, uid, socket: `${folder}/run/${socket}.sock`, words: [notp, 'serve', whose, '--config', config] });
  return {
    folder,
    config,
    startJudge: () => start(0, 'judge', 'judge'),
    startFor: ({ uid }) => start(uid, String(uid), String(uid)),
    pam: (user, proof, environment = {}) =>
      run([notp, 'pam', '--config', config], {
        clearEnvironment: true,
        environment: { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: user.name, ...environment },
        cwd: '/',
        input: proof,
      }),
    gate: (user, proof) =>
      runAs(user, [notp, 'gate', '--config', config], { environment: { LC_NOTP: proof, SSH_ORIGINAL_COMMAND: 'echo in' } }),
    records: () => linesOf(`${folder}/log/audit.log`),
  };
}

export function linesOf(file: string): Record<string, unknown>[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What root of a member can do: connect with its certificate, and say anything. */
export interface Stranger {
  /** The next line that comes after `line` was said; "closed" where the connection ends. */
  ask(line: string): Promise<string>;
  close(): void;
}

const NOTHING = (): void => undefined;

/** Connects with the files in `folder`. Rejects where TLS fails. */
export async function connectAs(folder: string, port: number): Promise<Stranger> {
  const socket = tls.connect({ host: 'localhost', port, servername: 'localhost', ...filesIn(folder) });
  const heard = { text: '', isClosed: false, changed: NOTHING };
  socket.on('data', (chunk: Buffer) => {
    heard.text += chunk.toString('utf8');
    heard.changed();
  });
  socket.on('error', NOTHING);
  socket.on('close', () => {
    heard.isClosed = true;
    heard.changed();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve).once('error', reject);
  });
  return {
    ask: async (line) => {
      socket.write(line);
      while (!heard.text.includes('\n') && !heard.isClosed) await new Promise<void>((resolve) => (heard.changed = resolve));
      const [first = '', ...rest] = heard.text.split('\n');
      const isWhole = heard.text.includes('\n');
      heard.text = rest.join('\n');
      return isWhole ? first : 'closed';
    },
    close: () => {
      socket.destroy();
    },
  };
}
