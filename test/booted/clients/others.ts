/** Clients and libraries that speak SSH themselves. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { FILE, GATE_QUESTION, KEY, QUESTION, sh, TOLD_ALL, TOLD_DENIED, type At, type Call, type Client, type Way } from './client.ts';

const HOST = '127.0.0.1';

/** By a saved session of PuTTY, which alone can set a variable; its tools know it by name. */
const putty = ({ user, port, name }: At, tool: string, words: string, variable = ''): string[] => {
  const lines = [
    'Protocol=ssh',
    `HostName=${HOST}`,
    `PortNumber=${String(port)}`,
    `UserName=${user}`,
    `PublicKeyFile=${KEY}.ppk`,
    variable,
  ];
  const session = `printf '%s\\n' ${lines.join(' ')} >/root/.putty/sessions/${name}`;
  return sh(`${session}; echo 'put "${FILE}" ${name}' >/root/put-${name}; ${tool} -hostkey "$(cat /root/hostkey)" ${words}`);
};

function puttyTool(name: string, words: (at: At) => string, told: Client['told']): Client {
  const call = (at: At): Call => ({ words: putty(at, name, words(at)), typed: [[QUESTION, at.code]] });
  return {
    name,
    from: 'putty-tools',
    ways: {
      pam: { how: 'asks', call },
      google: { how: 'asks', call },
      gate: {
        how: '`Environment` of the session',
        call: (at) => ({ words: putty(at, name, words(at), `Environment=LC_NOTP=${at.code},`) }),
      },
    },
    bare: (at) => ({ words: putty(at, `${name} -batch`, words(at)) }),
    told,
  };
}

const plinkWords = ({ name }: At): string => `-no-antispoof -load ${name} touch ${name}`;
const plink = puttyTool('plink', plinkWords, TOLD_ALL);

const dbclient = ({ user, port, name }: At): string[] => [
  'dbclient',
  '-y',
  '-i',
  `${KEY}.dropbear`,
  '-p',
  String(port),
  `${user}@${HOST}`,
  `touch ${name}`,
];
/** What rclone obscure(1) makes of a word. */
const UNUSED = '6bGcTPz_XS6m0x60Ytkfxg-7ZBSI1g';
const rclone = ({ user, port, name }: At): string[] => [
  'rclone',
  'copyto',
  ...['--low-level-retries', '1', '--retries', '1'],
  ...['--sftp-host', HOST, '--sftp-port', String(port), '--sftp-user', user, '--sftp-key-file', KEY],
  FILE,
  `:sftp:${name}`,
];
const curl = ({ user, port, name, code }: At): string[] => [
  ...['curl', '--silent', '--show-error', '--insecure', '--key', KEY, '--pubkey', `${KEY}.pub`, '--user', `${user}:${code}`],
  ...['--upload-file', FILE, `sftp://${HOST}:${String(port)}/~/${name}`],
];

/** A program of a few lines for a library; it is called with all that it needs. */
function library(name: string, from: string, file: string, told: Client['told'] = TOLD_ALL): Client {
  const source = fs.readFileSync(path.join(import.meta.dirname, file), 'utf8');
  const call = ({ door, user, port, code, name: target }: At): Call => ({
    words: ['python3', '-c', source, door, user, String(port), target, code],
  });
  const inCode = (how: string): Way => ({ how, call });
  return {
    name,
    from,
    ways: { pam: inCode('answers'), google: inCode('answers'), gate: inCode('sets `LC_NOTP`') },
    bare: call,
    told,
  };
}

export const OTHERS: readonly Client[] = [
  {
    ...plink,
    ways: {
      ...plink.ways,
      gate: {
        how: 'asks',
        call: (at) => ({ words: putty(at, 'plink', plinkWords(at)), typed: [[GATE_QUESTION, at.code]] }),
      },
    },
  },
  puttyTool('pscp', ({ name }) => `'${FILE}' ${name}:${name}`, TOLD_DENIED),
  puttyTool('psftp', ({ name }) => `-b /root/put-${name} ${name}`, TOLD_DENIED),
  {
    name: 'dbclient (Dropbear)',
    from: 'dropbear-bin',
    ways: {
      pam: { how: 'asks', call: (at) => ({ words: dbclient(at), typed: [[QUESTION, at.code]] }) },
      google: { how: 'asks', call: (at) => ({ words: dbclient(at), typed: [[QUESTION, at.code]] }) },
      gate: { how: 'asks', call: (at) => ({ words: dbclient(at), typed: [[GATE_QUESTION, at.code]] }) },
    },
    bare: (at) => ({ words: dbclient(at) }),
    told: TOLD_ALL,
  },
  library('paramiko (Python)', 'python3-paramiko', 'with_paramiko.py'),
  library('asyncssh (Python)', 'python3-asyncssh', 'with_asyncssh.py'),
  library('libssh (C)', 'libssh-4', 'with_libssh.py'),
  {
    name: 'curl (libssh2)',
    from: 'curl',
    ways: {
      pam: { how: 'password', call: (at) => ({ words: curl(at) }) },
      google: 'no',
      gate: 'a rule',
    },
    bare: (at) => ({ words: curl(at) }),
    told: ['"access denied"', /Access denied/],
  },
  {
    name: "rclone (Go's x/crypto)",
    from: 'rclone',
    ways: {
      pam: {
        how: '`--sftp-ask-password`',
        call: (at) => ({ words: [...rclone(at), '--sftp-ask-password'], typed: [[/password:\s/i, at.code]] }),
      },
      google: {
        how: '`--sftp-ask-password`',
        call: (at) => ({ words: [...rclone(at), '--sftp-ask-password'], typed: [[/password:\s/i, at.code]] }),
      },
      gate: { how: '`--sftp-set-env`', call: (at) => ({ words: [...rclone(at), '--sftp-set-env', `LC_NOTP=${at.code}`] }) },
    },
    bare: (at) => ({ words: rclone(at) }),
    // It tries PAM with a password alone, whatever that is.
    ruled: (at) => ({ words: [...rclone(at), '--sftp-pass', UNUSED] }),
    told: TOLD_DENIED,
  },
];
