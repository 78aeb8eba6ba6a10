/** Misconfigurations of a host whose PAM door is for everybody, and of its sudo. */
import { OWN_SHELL } from './gate.ts';
import { asAlice, block, gone, line, owned, rootFromInside, touchless, type Seed } from './seed.ts';
import { BY_CODE_ALONE, BY_HOST, BY_PASSWORD, HAS_PASSWORD } from './ways.ts';

const STACK = '/etc/pam.d/sshd';
const TEMPLATE = 'use the lines of examples/pam.d';
const BEST = 'AuthenticationMethods publickey,keyboard-interactive:pam';
const DROP_IN = '/etc/ssh/sshd_config.d/10-notp-pam.conf';
/** `change`: a program of sed for the stack of sshd. */
const stack = (what: string, change: string, id = 'P7', fix = TEMPLATE, more: Partial<Seed> = {}): Seed => ({
  ...{ what, id, fix, how: `cp -p /root/stack ${STACK}` },
  ...{ script: `cp -p ${STACK} /root/stack; sed -i '${change}' ${STACK}`, ...more },
});
/** The password is in /etc/shadow, which is put back with the rest. */
const byPassword: Partial<Seed> = { letsIn: 'alice', way: BY_PASSWORD, script: HAS_PASSWORD };
/** Small things, which neither let anybody in nor keep anybody out at once. */
const SMALL = 'small things';
const before = (lines: string): string => `1i ${lines}`;

export const PAM_SEEDS: readonly Seed[] = [
  gone('`AuthenticationMethods any`', ['AuthenticationMethods any'], 'P2', BEST, { letsIn: 'alice' }),
  line('a list of methods with the key alone', ['AuthenticationMethods publickey,keyboard-interactive:pam publickey'], 'P2', BEST, {
    letsIn: 'alice',
  }),
  block('`Match User` exempts an enrolled user', ['Match User alice', 'AuthenticationMethods publickey'], 'P2', BEST, { letsIn: 'alice' }),
  gone(
    '`Match User` exempts somebody who is not enrolled',
    ['Match User carol', 'AuthenticationMethods any'],
    'P2',
    'remove that Match line',
    {
      letsIn: 'carol',
    },
  ),
  gone('`Match Group` exempts its members', ['Match Group carol', 'AuthenticationMethods publickey'], 'P2', 'remove that Match line', {
    letsIn: 'carol',
  }),
  block('`Match Address` exempts the host itself', ['Match Address 127.0.0.1', 'AuthenticationMethods publickey'], 'P2', BEST, {
    letsIn: 'alice',
  }),
  rootFromInside(['AuthenticationMethods publickey'], 'P2', BEST),
  gone(
    'somebody who is exempt has keys from a network alone',
    [
      ...['Match User carol Address 127.0.0.1', 'PubkeyAuthentication yes', 'AuthenticationMethods publickey'],
      ...['Match User carol', 'PubkeyAuthentication no', 'AuthenticationMethods publickey'],
    ],
    'P2',
    'remove that Match line',
    { letsIn: 'carol' },
  ),
  gone(
    'somebody who is exempt is denied from elsewhere',
    ['Match User carol', 'AuthenticationMethods publickey', 'Match Address *,!127.0.0.1', 'DenyUsers carol'],
    'P2',
    'remove that Match line',
    { letsIn: 'carol' },
  ),
  gone(
    'somebody who is exempt has a limit from elsewhere',
    [
      ...['Match User carol Address 127.0.0.1', 'AuthenticationMethods publickey', 'ForceCommand none'],
      ...['Match User carol', 'AuthenticationMethods publickey', 'ForceCommand internal-sftp'],
    ],
    'P2',
    'remove that Match line',
    { letsIn: 'carol' },
  ),
  touchless(
    'a rule goes by the touch of a device, and a key of alice does without',
    "cp -p /home/alice/.ssh/authorized_keys /root/keys; echo 'no-touch-required sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHAAAABHNzaDo=' >>/home/alice/.ssh/authorized_keys",
    'cp -p /root/keys /home/alice/.ssh/authorized_keys',
  ),
  {
    what: 'all can write the authorities of one user',
    ...{ script: 'install -m 666 /dev/null /srv/ca.pub', lines: ['Match User bob', 'TrustedUserCAKeys /srv/ca.pub'] },
    ...{ id: 'read-by-root', fix: 'chmod go-w /srv/ca.pub', how: 'run', clean: 'rm /srv/ca.pub', writable: '/srv/ca.pub' },
  },
  {
    what: 'the gate for a network, and a login shell that a user can change',
    script: OWN_SHELL,
    lines: ['Match User alice Address 127.0.0.1', 'AuthenticationMethods publickey', 'ForceCommand /usr/bin/notp gate'],
    ...{ id: 'FC11', fix: 'chsh -s /bin/bash', how: 'usermod -s /bin/bash alice; unsshd', clean: 'rm /home/alice/bash' },
    ...{ letsIn: 'alice', way: { name: 'by her own shell' } },
  },
  {
    what: 'the gate from elsewhere, and a stack that asks others alone',
    script: `cp -p ${STACK} /root/stack; cp -p ${DROP_IN} /root/drop-in
notp setup pam --user bob --apply --force --confirm-within never; cp -p /root/drop-in ${DROP_IN}; ${HAS_PASSWORD}`,
    lines: ['Match User alice Address *,!127.0.0.1', 'ForceCommand /usr/bin/notp gate'],
    ...{ letsIn: 'alice', way: BY_PASSWORD },
    ...{ id: 'P7', fix: 'run notp setup pam --apply again', how: `cp -p /root/stack ${STACK}; unsshd` },
  },
  gone(
    'the password in place of the code',
    ['AuthenticationMethods publickey,password', 'PasswordAuthentication yes'],
    'P3',
    BEST,
    byPassword,
  ),
  line('the password method beside the code', ['PasswordAuthentication yes'], 'P4', 'PasswordAuthentication no', {
    ...{ together: SMALL, untried: 'the methods of the list ask for the code' },
  }),
  line(
    'another host vouches',
    ['AuthenticationMethods hostbased publickey,keyboard-interactive:pam', 'HostbasedAuthentication yes'],
    'P5',
    BEST,
    {
      script: `echo 127.0.0.1 >/etc/ssh/shosts.equiv; sed 's/^/* /' /etc/ssh/ssh_host_ed25519_key.pub >/etc/ssh/ssh_known_hosts
echo 'EnableSSHKeysign yes' >>/etc/ssh/ssh_config`,
      ...{ letsIn: 'alice', way: BY_HOST },
    },
  ),
  line(
    'sshd does not prompt',
    ['KbdInteractiveAuthentication no', 'AuthenticationMethods publickey,keyboard-interactive:pam publickey'],
    'P1',
    'KbdInteractiveAuthentication yes',
    { how: 'unsshd', letsIn: 'alice' },
  ),
  line('many tries and a long time', ['MaxAuthTries 50', 'LoginGraceTime 0'], 'P10', 'MaxAuthTries 3', {
    ...{ together: SMALL, untried: 'more guesses at a code' },
  }),

  stack('`sufficient pam_permit` before the code', before('auth sufficient pam_permit.so'), 'P7', TEMPLATE, { letsIn: 'alice' }),
  stack('a whole group is let through', before('auth sufficient pam_succeed_if.so quiet user ingroup alice'), 'P7', TEMPLATE, {
    letsIn: 'alice',
  }),
  stack(
    'everybody above a uid is let through',
    before('auth [success=done default=ignore] pam_succeed_if.so quiet uid > 500'),
    'P7',
    TEMPLATE,
    {
      letsIn: 'alice',
    },
  ),
  stack('local users are let through', before('auth sufficient pam_localuser.so'), 'P7', TEMPLATE, { letsIn: 'alice' }),
  stack(
    'users of a list are let through',
    before('auth sufficient pam_listfile.so item=user sense=deny file=/etc/hostname onerr=succeed'),
    'P7',
    TEMPLATE,
    { letsIn: 'alice' },
  ),
  stack('root is let through, as whom sshd asks for everybody', before('auth sufficient pam_rootok.so'), 'P7', TEMPLATE, {
    letsIn: 'alice',
  }),
  stack('an include lets through', before('auth include seed'), 'P7', TEMPLATE, {
    script: `cp -p ${STACK} /root/stack; echo 'auth sufficient pam_permit.so' >/etc/pam.d/seed; sed -i '1i auth include seed' ${STACK}`,
    clean: 'rm /etc/pam.d/seed',
    letsIn: 'alice',
  }),
  stack('a jump over the code', before('auth [success=3 default=ignore] pam_localuser.so'), 'P7', TEMPLATE, { letsIn: 'alice' }),
  stack('the first pass leads to a permit', 's/success=3 default=ignore/success=2 default=ignore/', 'P7', TEMPLATE, {
    ...{ letsIn: 'alice', way: BY_CODE_ALONE },
  }),
  stack('the line for the code is optional', 's/^auth *requisite *pam_exec/auth optional pam_exec/', 'P7', 'auth requisite pam_exec.so', {
    letsIn: 'alice',
  }),
  stack(
    'the line for the code is sufficient',
    's/^auth *requisite *pam_exec/auth sufficient pam_exec/',
    'P7',
    'auth requisite pam_exec.so',
    { letsIn: 'alice' },
  ),
  stack('the line for the code is commented out', 's/^auth *requisite *pam_exec/#&/', 'no-gate', 'notp setup', { letsIn: 'alice' }),
  stack('the code is not passed on', 's/expose_authtok //', 'P7', 'expose_authtok', { keepsOut: 'alice' }),
  stack(
    'the code is asked for in another phase',
    's/^auth \\(.*notp pam\\)$/auth \\1 type=session/; s/quiet \\(.*notp pam\\) type=session/type=session quiet \\1/',
    'P7',
    'type=',
    { letsIn: 'alice' },
  ),
  stack('a password module before the code', '/notp pam$/i auth required pam_unix.so', 'P9', TEMPLATE, { keepsOut: 'alice' }),
  stack('no module sets a credential', '/pam_permit.so/d; /common-auth/d', 'P7', 'pam_permit.so', { keepsOut: 'alice' }),
  stack('the program has no path', 's,/usr/bin/notp pam$,notp pam,', 'P7', '/usr/bin/notp pam', { keepsOut: 'alice' }),
  stack('notp through a shell', 's,/usr/bin/notp pam$,/bin/sh -c [/usr/bin/notp pam || true],', 'P7', 'pam_exec.so quiet expose_authtok', {
    letsIn: 'alice',
  }),
  stack('account lines that refuse', '0,/^account/s//account requisite pam_deny.so\\naccount/', 'P7', 'account line', {
    keepsOut: 'alice',
  }),
  stack('session lines that refuse', '0,/^session/s//session requisite pam_deny.so\\nsession/', 'P7', 'session line', {
    keepsOut: 'alice',
  }),
  stack('a module that is not there', '/notp pam$/a auth required pam_none.so', 'pam-module', 'install the package', { keepsOut: 'alice' }),
  stack('pam_exec is not there', 's,pam_exec.so,/lib/none/pam_exec.so,', 'pam-module', 'install the package', { keepsOut: 'alice' }),
  {
    ...{
      what: 'the stack of another release',
      script: `cp -p ${STACK} /root/stack; printf '@include common-auth\\n@include common-account\\n@include common-session\\n' >${STACK}; ${HAS_PASSWORD}`,
    },
    ...{ id: 'no-gate', fix: 'notp setup', how: `cp -p /root/stack ${STACK}`, letsIn: 'alice', way: BY_PASSWORD },
  },
  {
    ...{ what: 'no stack for sshd', script: `mv ${STACK} /root/stack; ${HAS_PASSWORD}`, id: 'P7', fix: 'correct the file' },
    ...{ how: `mv /root/stack ${STACK}`, letsIn: 'alice', way: BY_PASSWORD },
  },

  {
    what: 'the program cannot be run',
    script: 'chmod 644 /usr/bin/notp',
    id: 'P8',
    fix: 'chmod 755 /usr/bin/notp',
    how: 'run',
    keepsOut: 'alice',
  },
  {
    ...stack('the program is on a mount without programs', 's,/usr/bin/notp,/mnt/n/notp,', 'P8', 'mount -o remount,exec /mnt/n', {
      keepsOut: 'alice',
    }),
    script: `mkdir -p /mnt/n; mount -t tmpfs -o noexec,mode=755 seed /mnt/n; cp /usr/bin/notp /mnt/n/notp; cp -p ${STACK} /root/stack; sed -i s,/usr/bin/notp,/mnt/n/notp, ${STACK}`,
    how: 'mount -o remount,exec /mnt/n',
    clean: `cp -p /root/stack ${STACK}; umount /mnt/n`,
  },
  stack('the program is not there', 's,/usr/bin/notp pam$,/usr/local/bin/notp pam,', 'P8', 'install notp', { keepsOut: 'alice' }),
  {
    ...{
      what: 'the program is another one',
      script: 'cp -p /usr/bin/notp /root/notp; cp --remove-destination /bin/true /usr/bin/notp',
      id: 'P8',
      fix: 'install notp',
    },
    ...{ how: 'cp -p --remove-destination /root/notp /usr/bin/notp', letsIn: 'alice', way: { name: 'with any code' } },
  },
  {
    what: 'others can write the program',
    script: 'cp -p /usr/bin/notp /root/notp; chmod 777 /usr/bin/notp',
    next: `stop; ${asAlice('printf "%s\\n" "#!/bin/sh" "exit 0" >/usr/bin/notp')}`,
    ...{ id: 'P8', fix: 'let only root write it', how: 'cp -p --remove-destination /root/notp /usr/bin/notp', clean: 'rm /root/notp' },
    ...{ writable: '/usr/bin/notp', letsIn: 'bob', way: { name: 'by a program of alice' }, together: SMALL },
  },
  stack(
    'PAM names a configuration that is not there',
    's,/usr/bin/notp pam$,& --config /etc/notp/none.toml,',
    'configuration',
    'or remove --config',
    {
      keepsOut: 'alice',
    },
  ),
  {
    ...stack(
      'PAM names a configuration of a user',
      's,/usr/bin/notp pam$,& --config /etc/notp/other.toml,',
      'configuration',
      'chown -h root',
      { keepsOut: 'alice' },
    ),
    script: `touch /etc/notp/other.toml; chown alice /etc/notp/other.toml; cp -p ${STACK} /root/stack; sed -i 's,/usr/bin/notp pam$,& --config /etc/notp/other.toml,' ${STACK}`,
    how: 'chown -h root /etc/notp/other.toml && chmod 644 /etc/notp/other.toml',
    clean: `cp -p /root/stack ${STACK}; rm /etc/notp/other.toml`,
  },
  { what: 'a file nologin', script: 'touch /etc/nologin', id: 'nologin', fix: 'rm /etc/nologin', how: 'run', keepsOut: 'alice' },
  {
    ...{
      what: 'the socket of the judge is stopped',
      script: 'stop; systemctl stop notp-judge.socket',
      id: 'service-judge',
      fix: 'systemctl restart',
    },
    ...{ how: 'run', untried: 'sshd starts it before it asks for the code' },
  },
  {
    what: 'the socket of the judge is masked',
    script: `stop; systemctl stop notp-judge.socket; mv /etc/systemd/system/notp-judge.socket /usr/lib/systemd/system/; systemctl daemon-reload
systemctl mask --quiet notp-judge.socket`,
    ...{
      id: 'service-judge',
      fix: 'systemctl unmask',
      how: 'run',
      keepsOut: 'alice',
      clean: 'rm /usr/lib/systemd/system/notp-judge.socket',
    },
  },
  {
    what: 'the judge does not start at boot',
    script: 'systemctl disable notp-judge.socket',
    id: 'service-judge',
    fix: 'systemctl enable',
    how: 'run',
    ...{ together: SMALL, untried: 'it listens until the next boot' },
  },
  {
    ...{ what: 'the judge gets no key', script: "dropin notp@.service Service 'LoadCredential='; stop", id: 'service-credential' },
    ...{ fix: 'add a drop-in', how: 'undropin notp@.service; stop', keepsOut: 'alice' },
  },
  {
    ...{ what: 'the judge has too little memory', script: "dropin notp@.service Service 'MemoryMax=1M'; stop", id: 'service-answers' },
    ...{
      fix: 'systemctl status',
      how: 'undropin notp@.service; stop',
      untried: 'as without a key, but each login waits for half a minute',
    },
  },
  ...owned([STACK, '/etc/pam.d/common-auth', '/etc/notp/prompt', '/etc/systemd/system/notp-judge.socket', DROP_IN], {
    [STACK]: {
      next: asAlice(`sed "1i auth sufficient pam_permit.so" ${STACK} >/tmp/stack; cat /tmp/stack >${STACK}`),
      ...{ letsIn: 'alice', way: { name: 'by her own line' } },
    },
  }),
  {
    ...{
      what: 'a password that has expired',
      script: "usermod -p '$6$salt$hash' alice; chage -d 0 alice",
      id: 'password-age',
      fix: 'chage --maxdays -1',
    },
    ...{ how: 'chage -d 2026-01-01 -M -1 alice', clean: "usermod -p '*' alice", together: SMALL },
    untried: 'the code is asked for all the same',
  },
];

const ASKED_OTHERWISE = 'sudo asks otherwise';
/** alice may use sudo with her login password. */
const SUDOER = `${HAS_PASSWORD}; echo 'alice ALL=(ALL) ALL' >/etc/sudoers.d/alice`;

export const SUDO_SEEDS: readonly Seed[] = [
  {
    ...{ what: '`NOPASSWD`', script: "echo 'bob ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/seed", id: 'P11', fix: 'remove that setting' },
    ...{ how: 'rm /etc/sudoers.d/seed', sudoer: 'bob' },
  },
  {
    what: '`!authenticate`',
    script: "printf 'Defaults:bob !authenticate\\nbob ALL=(ALL) ALL\\n' >/etc/sudoers.d/seed",
    ...{ id: 'P11', fix: 'remove that setting', how: 'rm /etc/sudoers.d/seed', sudoer: 'bob' },
  },
  {
    what: '`exempt_group`',
    script: "usermod -aG staff bob; printf 'Defaults exempt_group=staff\\nbob ALL=(ALL) ALL\\n' >/etc/sudoers.d/seed",
    ...{ id: 'P11', fix: 'remove that setting', how: 'rm /etc/sudoers.d/seed', sudoer: 'bob' },
  },
  {
    what: '`rootpw`',
    script: "echo 'Defaults rootpw' >/etc/sudoers.d/seed",
    ...{ id: 'P11', fix: 'remove that setting', how: 'rm /etc/sudoers.d/seed', detail: 'rootpw', together: ASKED_OTHERWISE },
    untried: "root's code is asked for, and root is not enrolled",
  },
  {
    what: '`timestamp_timeout` for a day',
    script: "echo 'Defaults timestamp_timeout=1440' >/etc/sudoers.d/later",
    ...{ id: 'P11', fix: 'remove that setting', how: 'rm /etc/sudoers.d/later', detail: 'timestamp_timeout', together: ASKED_OTHERWISE },
    untried: 'a code is asked for once a day',
  },
  {
    ...{
      what: 'another PAM service of sudo',
      script: `echo 'Defaults pam_service=su' >/etc/sudoers.d/seed; ${SUDOER}`,
      id: 'P11',
      fix: 'remove that setting',
    },
    ...{ how: 'rm /etc/sudoers.d/seed', sudoer: 'alice', sudo: ['-S'] },
  },
  {
    ...{
      what: '`sudo -i` asks for no code',
      script: `cp -p /etc/pam.d/sudo-i /root/sudo-i; echo "@include common-auth" >/etc/pam.d/sudo-i; ${SUDOER}`,
      id: 'P11',
    },
    ...{ fix: 'notp setup sudo', how: 'cp -p /root/sudo-i /etc/pam.d/sudo-i', sudoer: 'alice', sudo: ['-S', '-i'] },
  },
];
