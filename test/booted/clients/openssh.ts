/** OpenSSH's own clients, and programs that run its ssh. */
import { FILE, GATE_QUESTION, QUESTION, sh, TOLD_ALL, TOLD_DENIED, type At, type Call, type Client, type Way } from './client.ts';

type Words = (at: At) => readonly string[];
type Row = Partial<Omit<Client, 'ways'>> & { readonly ways?: Partial<Client['ways']>; readonly environment?: NodeJS.ProcessEnv };

/** Asked by ssh, at a terminal. */
const asked = (words: Words, environment: NodeJS.ProcessEnv = {}): Way => ({
  how: 'asks',
  call: (at) => ({ words: words(at), environment, typed: [[QUESTION, at.code]] }),
});
/** Without a terminal: the code is in the variable, which ~/.ssh/config sends to that one host. */
const sent = (words: Words, environment: NodeJS.ProcessEnv = {}): Way => ({
  how: '`LC_NOTP`',
  call: (at) => ({ words: words(at), environment: { ...environment, LC_NOTP: at.code } }),
});

/** A program whose ssh asks at PAM, and takes the variable at the gate, unless told. */
function overSsh(name: string, from: string, words: Words, { environment = {}, ways = {}, ...more }: Row = {}): Client {
  const usual = { pam: asked(words, environment), google: asked(words, environment), gate: sent(words, environment) };
  return { name, from, ways: { ...usual, ...ways }, bare: (at) => ({ words: words(at), environment }), told: TOLD_ALL, ...more };
}

const touch: Words = ({ to, name }) => ['ssh', to, `touch ${name}`];

const socketOf = ({ name }: At): string => `-o ControlPath=/root/shared-${name}`;
/** The first command opens the connection, and is asked; `next` shares it. */
const shared = (at: At, next: string): string[] =>
  sh(`ssh -t -o ControlMaster=yes -o ControlPersist=60 ${socketOf(at)} ${at.to} true && ${next} && ssh ${socketOf(at)} -O exit ${at.to}`);
function askedOnce(next: (at: At) => string): Client['ways'] {
  const way = (question: RegExp): Way => ({
    how: 'a shared connection',
    call: (at) => ({ words: shared(at, next(at)), typed: [[question, at.code]] }),
  });
  return { pam: way(QUESTION), google: way(QUESTION), gate: way(GATE_QUESTION) };
}
const scpShared = (at: At): string => `scp -q ${socketOf(at)} '${FILE}' ${at.to}:${at.name}`;
/** It opens a connection for itself twice. */
const restic = ({ to, name }: At, options = ''): string =>
  `RESTIC_PASSWORD=secret restic -o sftp.command='ssh ${options} ${to} -s sftp' -r sftp:${to}:${name} init`;

/** As an editor does it: the far side is a shell with a script on stdin, a port is forwarded, and a program of the editor asks. */
const editor = ({ to, name }: At): Call => ({
  words: ['ssh', '-T', '-D', name.replace('made-', ''), to, 'bash'],
  input: `touch ${name}\nexit\n`,
});
const byAskpass: Way = {
  how: '`SSH_ASKPASS`',
  call: (at) => ({ ...editor(at), environment: { SSH_ASKPASS: '/root/askpass', SSH_ASKPASS_REQUIRE: 'force', CODE: at.code } }),
};

const jump: Words = ({ to, name }) => ['ssh', '-J', to, to, `touch ${name}`];
const askedTwice: Way = {
  how: 'asks at each host',
  call: (at) => ({
    words: jump(at),
    typed: [
      [QUESTION, at.code],
      [QUESTION, at.another()],
    ],
  }),
};

/** By sshpass, which looks for the prompt that it is told. */
const ansible: Words = ({ to, name }) => [
  'env',
  `ANSIBLE_SSH_CONTROL_PATH_DIR=/root/ansible-${name}`,
  'ansible',
  'all',
  '-i',
  `${to},`,
  '-m',
  'file',
  '-a',
  `path=${name} state=touch`,
];
/** Without a password Ansible asks for keys alone, and PAM is not tried. */
const TRY_PAM =
  '-C -o ControlMaster=auto -o ControlPersist=60s -o KbdInteractiveAuthentication=yes -o PreferredAuthentications=publickey,keyboard-interactive';
const ANSIBLE = { ANSIBLE_NOCOLOR: '1', ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3' };
const bySshpass = (how: string, prompt: string): Way => ({
  how,
  call: (at) => ({
    words: [...ansible(at), '--ask-pass'],
    environment: { ...ANSIBLE, ANSIBLE_SSHPASS_PROMPT: prompt },
    typed: [[/SSH password: /, at.code]],
  }),
});

const parallel: Words = ({ to, name }) => ['parallel-ssh', '-i', '-H', to, `touch ${name}`];
const byParallel: Way = {
  how: '`-A`',
  call: (at) => ({ words: ['parallel-ssh', '-A', ...parallel(at).slice(1)], typed: [[/Password: /, at.code]] }),
};

const lftp = (open: string, name: string): string[] => ['lftp', '-c', `set net:max-retries 1; open ${open}; put '${FILE}' -o ${name}`];
const byLftp: Way = {
  how: 'asks',
  call: ({ user, door, name, code }) => ({ words: lftp(`-u ${user} sftp://${door}`, name), typed: [[/Password: /, code]] }),
};

const mosh: Words = ({ to, name }) => ['mosh', to, '--', 'touch', name];

export const OPENSSH: readonly Client[] = [
  overSsh('ssh', 'openssh-client', touch, {
    ways: { gate: { how: 'asks', call: (at) => ({ words: ['ssh', '-t', ...touch(at).slice(1)], typed: [[GATE_QUESTION, at.code]] }) } },
  }),
  overSsh('ssh without a terminal', 'openssh-client', touch, {
    ways: {
      pam: { ...byAskpass, call: (at) => ({ ...byAskpass.call(at), words: touch(at) }) },
      google: { ...byAskpass, call: (at) => ({ ...byAskpass.call(at), words: touch(at) }) },
    },
  }),
  overSsh('scp after ssh with ControlMaster', 'openssh-client', (at) => shared(at, scpShared(at)), { ways: askedOnce(scpShared) }),
  overSsh('ssh through a host (ProxyJump)', 'openssh-client', jump, {
    ways: { pam: askedTwice, google: askedTwice, gate: 'no' },
    told: ['"forwarding failed"', /forwarding failed/],
  }),
  overSsh('an editor (`ssh -T -D`, a script on stdin)', 'openssh-client', (at) => editor(at).words, {
    bare: editor,
    ways: {
      pam: byAskpass,
      google: byAskpass,
      gate: { how: '`LC_NOTP`, no ports', call: (at) => ({ ...editor(at), environment: { LC_NOTP: at.code } }) },
    },
  }),
  overSsh('scp', 'openssh-client', ({ to, name }) => ['scp', '-q', FILE, `${to}:${name}`], { told: TOLD_DENIED }),
  overSsh('scp -O', 'openssh-client', ({ to, name }) => ['scp', '-q', '-O', FILE, `${to}:${name}`]),
  overSsh('sftp', 'openssh-client', ({ to, name }) => sh(`echo "put '${FILE}' ${name}" | sftp ${to}`)),
  overSsh('sftp -o BatchMode=no -b', 'openssh-client', ({ to, name }) =>
    sh(`echo "put '${FILE}' ${name}" | sftp -o BatchMode=no -b - ${to}`),
  ),
  overSsh('rsync', 'rsync', ({ to, name }) => ['rsync', FILE, `${to}:${name}`]),
  overSsh('git', 'git', ({ to, name }) => ['git', '-C', '/root/work', 'push', '--quiet', `${to}:repository`, `HEAD:refs/heads/${name}`], {
    leaves: (name) => `repository/refs/heads/${name}`,
  }),
  overSsh('mosh', 'mosh', mosh, {
    ways: { gate: { how: '`LC_NOTP`', call: (at) => ({ words: mosh(at), environment: { LC_NOTP: at.code }, typed: [] }) } },
    ruled: (at) => ({ words: mosh(at), typed: [] }),
  }),
  overSsh(
    'sshfs',
    'sshfs',
    ({ to, name }) => sh(`mkdir /root/${name} && sshfs ${to}: /root/${name} && touch /root/${name}/${name} && umount /root/${name}`),
    { told: TOLD_DENIED },
  ),
  overSsh('borg', 'borgbackup', ({ to, name }) => ['borg', 'init', '--encryption', 'none', `ssh://${to}/./${name}`], {
    leaves: (name) => `${name}/config`,
  }),
  overSsh('restic', 'restic', (at) => sh(restic(at)), {
    ways: askedOnce((at) => restic(at, socketOf(at))),
    told: TOLD_DENIED,
    leaves: (name) => `${name}/config`,
  }),
  overSsh('unison', 'unison', ({ to, name }) => ['unison', '-ui', 'text', '-batch', '/root/folder', `ssh://${to}/${name}`], {
    leaves: (name) => `${name}/a file`,
  }),
  overSsh('Ansible', 'ansible-core', ansible, {
    environment: ANSIBLE,
    bare: (at) => ({ words: [...ansible(at), '-vvv'], environment: ANSIBLE }),
    ruled: (at) => ({ words: ansible(at), environment: { ...ANSIBLE, ANSIBLE_SSH_ARGS: TRY_PAM } }),
    told: ['reason and hint, with `-vvv`', TOLD_ALL[1]],
    ways: { pam: bySshpass('`--ask-pass`', 'Password:'), google: bySshpass('`--ask-pass`, `sshpass_prompt`', 'Verification code:') },
  }),
  overSsh('parallel-ssh', 'pssh', parallel, { ways: { pam: byParallel, google: 'no' } }),
  overSsh('lftp', 'lftp', ({ user, door, name }) => lftp(`-u ${user}, sftp://${door}`, name), { ways: { pam: byLftp, google: 'no' } }),
];
