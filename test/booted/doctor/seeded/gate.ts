/** Misconfigurations of a host whose gate is for everybody: alice and bob are enrolled, carol is not, and each has a key. */
import { CLIENT_KEY } from '../../../support/container-root.ts';
import { asAlice, block, gone, line, owned, rootFromInside, ROOTS_KEY, touchless, type Seed } from './seed.ts';
import {
  BY_FTP,
  BY_INPUT,
  BY_PORT,
  BY_SFTP,
  BY_SOCKET,
  BY_TUNNEL,
  BY_VARIABLE,
  from,
  HAS_PASSWORD,
  PASSWORD,
  throughPam,
  BY_SU,
} from './ways.ts';

const GATE = 'ForceCommand /usr/bin/notp gate';
/** All is closed one by one, but for what stands before. */
const FORWARD = [
  ...['DisableForwarding no', 'AllowTcpForwarding no', 'AllowStreamLocalForwarding no', 'AllowAgentForwarding no', 'X11Forwarding no'],
  ...['PermitTunnel no', 'GatewayPorts no', 'StreamLocalBindUnlink no', 'UnusedConnectionTimeout 60s'],
];
const DROP_IN = '/etc/ssh/sshd_config.d/10-notp-gate.conf';
/** A login shell of alice's own. */
export const OWN_SHELL = `printf '%s\\n' '#!/bin/sh' 'eval "$SSH_ORIGINAL_COMMAND"' >/home/alice/bash
chmod 755 /home/alice/bash; chown alice /home/alice/bash; usermod -s /home/alice/bash alice`;
const mode = (what: string, file: string, bad: string, id: string, fix: string, more: Partial<Seed> = {}): Seed => ({
  ...{ what, script: `chmod ${bad} ${file}`, id, fix, how: 'run', ...more },
});
/** As setup writes no SetEnv: with its own, which comes after what the client or a file sets, these let nobody in. */
const NO_SETENV = 'SetEnv FOO=bar';
/** Runs the client's command before the gate, where a bash of `user` gets the variables. */
const asFile = (user: string): string => `printf '%s\\n' 'eval "$SSH_ORIGINAL_COMMAND"; exit' >/home/${user}/env`;
const ASKS = 'the gate asks for a code all the same';
const UNTIL_BOOT = 'it listens until the next boot';
/** Small things about the service, which keep nobody out at once. */
const SMALL = 'small things';
const BESIDE = 'beside the gate';
const SERVERS = 'other servers of SSH';
const COCKPIT = [
  ...['auth required pam_sepermit.so', '@include common-auth', 'auth optional pam_ssh_add.so', 'account required pam_nologin.so'],
  ...['@include common-account', '@include common-password', 'session required pam_loginuid.so', '@include common-session'],
];
const POLKIT = [
  ...['@include common-auth', '@include common-account', '@include common-password'],
  ...['session required pam_env.so readenv=1 user_readenv=0', '@include common-session-noninteractive'],
];
/** The fix in words: its line for the code comes after that of the password. */
const withCode = (service: string): string =>
  `sed -i '/^@include common-auth/a auth requisite pam_exec.so seteuid quiet quiet_log /usr/bin/notp pam --prompt-tty' /etc/pam.d/${service}`;
const pamBeside = (service: string, id: string, lines: readonly string[]): Seed => ({
  ...{ what: `${service} logs in without a code`, id, detail: service, fix: 'examples/pam.d', how: withCode(service) },
  script: `${HAS_PASSWORD}; printf '%s\\n' ${lines.map((each) => `'${each}'`).join(' ')} >/etc/pam.d/${service}`,
  ...{ letsIn: 'alice', way: throughPam(service), isUsual: true, isWarning: true, together: BESIDE },
});
const config = (what: string, make: string, fix: string, mend: string, more: Partial<Seed> = { keepsOut: 'alice' }): Seed => ({
  ...{ what, id: 'configuration', fix, how: mend, ...more },
  script: `${make}; sed -i 's,notp gate,notp gate --config /etc/notp/other.toml,' ${DROP_IN}; reload`,
});

export const GATE_SEEDS: readonly Seed[] = [
  gone('`ForceCommand none` for all', ['ForceCommand none'], 'no-gate', 'notp setup gate', { letsIn: 'alice' }),
  gone('a shell in place of the gate', ['ForceCommand /bin/bash'], 'no-gate', 'notp setup gate', { letsIn: 'alice', way: BY_INPUT }),
  line('a shell after the gate', ['ForceCommand /usr/bin/notp gate || /bin/sh -c "$SSH_ORIGINAL_COMMAND"'], 'FC1', GATE, {
    letsIn: 'alice',
  }),
  line('the gate without its path', ['ForceCommand notp gate'], 'FC1', GATE, { untried: 'the PATH of sshd leads to the gate, which asks' }),
  block('`Match User` exempts an enrolled user', ['Match User alice', 'ForceCommand none'], 'FC1', GATE, { letsIn: 'alice' }),
  gone('`Match User` exempts somebody who is not enrolled', ['Match User carol', 'ForceCommand none'], 'FC1', 'remove that Match line', {
    letsIn: 'carol',
  }),
  {
    ...gone('`Match Group` exempts its members', ['Match Group staff', 'ForceCommand none'], 'FC1', 'remove that Match line', {
      letsIn: 'carol',
    }),
    script: 'usermod -aG staff carol',
  },
  gone('`Match Address` exempts a network', ['Match Address 127.16.0.0/12', 'ForceCommand none'], 'FC14', 'remove the Match block', {
    ...{ letsIn: 'alice', way: from('127.16.0.1') },
  }),
  gone('`Match Address` exempts the host itself', ['Match Address 127.0.0.1', 'ForceCommand none'], 'FC14', 'remove the Match block', {
    letsIn: 'alice',
  }),
  gone('`Match Host` exempts a name', ['UseDNS yes', 'Match Host *.example.org', 'ForceCommand none'], 'FC14', 'remove the Match block', {
    ...{ script: 'echo 127.3.0.1 www.example.org >>/etc/hosts', letsIn: 'alice', way: from('127.3.0.1') },
  }),
  gone(
    'a network exempts somebody who is not enrolled',
    ['Match User carol Address 127.0.0.0/8', 'ForceCommand none'],
    'FC1',
    'remove that Match',
    {
      letsIn: 'carol',
    },
  ),
  rootFromInside(['ForceCommand none'], 'FC1', GATE),
  gone('a limit in place of the gate', ['Match User carol', 'ForceCommand internal-sftp'], 'FC1', 'remove that Match line', {
    ...{ letsIn: 'carol', way: BY_SFTP, isWarning: true },
  }),
  {
    what: 'another name of root is exempt',
    script: `echo 'toor:x:0:0::/root:/bin/bash' >>/etc/passwd; echo 'toor:*:20000::::::' >>/etc/shadow; ${ROOTS_KEY.script}`,
    ...{ lines: ['Match User toor', 'ForceCommand none'], letsIn: 'toor', clean: 'rm /root/.ssh/authorized_keys' },
    ...{ id: 'spelling', fix: 'Match Group in place of Match User', how: 'unsshd' },
  },
  {
    what: 'another name of an enrolled uid is exempt',
    script:
      'useradd -o -u $(id -u alice) -g $(id -g alice) -M -d /home/alice -s /bin/bash -p "*" alice2; sshd "Match User alice2" "ForceCommand none"',
    ...{ id: 'spelling', fix: 'Match Group in place of Match User', how: 'unsshd', letsIn: 'alice2' },
  },
  ...[
    line('sockets can be forwarded', ['AllowStreamLocalForwarding yes'], 'FC3', 'AllowStreamLocalForwarding no', {
      ...{ letsIn: 'alice', way: BY_SOCKET },
    }),
    line('ports can be forwarded', ['AllowTcpForwarding yes'], 'FC4', 'AllowTcpForwarding no', { letsIn: 'alice', way: BY_PORT }),
    line('X11 and the agent can be forwarded', ['X11Forwarding yes', 'AllowAgentForwarding yes'], 'FC5', 'AllowAgentForwarding no', {
      untried: 'leads back to the client alone',
    }),
    line('tunnels are allowed', ['PermitTunnel yes'], 'FC6', 'PermitTunnel no', {
      detail: 'permittunnel is',
      letsIn: 'alice',
      way: BY_TUNNEL,
    }),
    line('`PermitUserRC yes`', ['PermitUserRC yes'], 'FC10', 'PermitUserRC no', {
      untried: 'sshd runs no ~/.ssh/rc where it forces a command',
    }),
    line('quiet logs', ['LogLevel QUIET'], 'FC15', 'LogLevel VERBOSE', { untried: 'less is in the log' }),
  ].map((seed): Seed => ({ ...seed, rest: FORWARD, together: 'lines that open' })),
  ...[
    line('ports can be forwarded to the host', ['AllowTcpForwarding local'], 'FC4', 'AllowTcpForwarding no', {
      ...{ letsIn: 'alice', way: BY_PORT },
    }),
    line('`GatewayPorts`', ['GatewayPorts yes'], 'FC6', 'GatewayPorts no', {
      detail: 'gatewayports is',
      untried: 'opens no port by itself',
    }),
    line('sockets are unlinked', ['StreamLocalBindUnlink yes'], 'FC6', 'StreamLocalBindUnlink no', {
      ...{ detail: 'streamlocalbindunlink is', untried: 'opens no socket by itself' },
    }),
    line('a `SetEnv` of its own, before that of notp', ['SetEnv FOO=bar'], 'FC9', 'SetEnv SHLVL=1', {
      script: 'sed -i \'1i eval "$SSH_ORIGINAL_COMMAND"; exit\' /home/alice/.bashrc',
      ...{ letsIn: 'alice', way: { name: 'by her own ~/.bashrc' }, isWarning: true, clean: 'sed -i 1d /home/alice/.bashrc' },
    }),
  ].map((seed): Seed => ({ ...seed, rest: FORWARD, together: 'more lines that open' })),
  block('forwarding for one user', ['Match User alice', 'AllowTcpForwarding yes', ...FORWARD], 'FC4', 'AllowTcpForwarding no', {
    ...{ letsIn: 'alice', way: BY_PORT },
  }),
  gone(
    'forwarding for somebody who is not enrolled',
    ['Match User carol', 'AllowTcpForwarding yes', ...FORWARD],
    'FC4',
    'AllowTcpForwarding no',
    { letsIn: 'carol', way: BY_PORT },
  ),
  line('`PermitUserEnvironment`, and no `SetEnv` of notp', ['PermitUserEnvironment yes', NO_SETENV], 'FC7', 'PermitUserEnvironment no', {
    script: `${asFile('alice')}; printf '%s\\n' SHLVL=3 BASH_ENV=/home/alice/env >/home/alice/.ssh/environment`,
    ...{ letsIn: 'alice', way: { name: 'by her own ~/.ssh/environment' }, leaves: ['FC9'] },
    clean: 'rm /home/alice/env /home/alice/.ssh/environment',
  }),
  line('`AcceptEnv *`, and no `SetEnv` of notp', ['AcceptEnv *', NO_SETENV], 'FC8', 'AcceptEnv LANG LC_*', {
    ...{ how: "sshd 'AcceptEnv LANG LC_*'", letsIn: 'alice', way: BY_VARIABLE },
  }),
  line('`AcceptEnv LD_*`, and no `SetEnv` of notp', ['AcceptEnv LD_*', NO_SETENV], 'FC8', 'AcceptEnv LANG LC_*', {
    script: `printf '%s\\n' '#include <stdlib.h>' '__attribute__((constructor)) static void in(void) {' \
  'unsetenv("LD_PRELOAD"); if (getenv("SSH_ORIGINAL_COMMAND")) exit(system(getenv("SSH_ORIGINAL_COMMAND")));' '}' >/root/in.c
gcc -shared -fPIC -o /home/alice/in.so /root/in.c`,
    ...{ how: "sshd 'AcceptEnv LANG LC_*'", clean: 'rm /root/in.c /home/alice/in.so', letsIn: 'alice' },
    way: { name: 'by a library of her own', options: ['-o', 'SetEnv=LD_PRELOAD=/home/alice/in.so'] },
  }),
  line('sshd does not tell the key', ['ExposeAuthInfo no'], 'FC13', 'ExposeAuthInfo yes', { keepsOut: 'alice' }),
  // In OpenSSH 9.2 any `none` wins.
  gone('idle connections stay open', ['UnusedConnectionTimeout none', ...FORWARD], 'FC16', 'UnusedConnectionTimeout 60s', {
    untried: 'a connection without a session stays',
  }),
  line('other files of keys', ['AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u'], 'FC13', 'authorized_keys =', {
    ...{ how: 'unsshd', untried: ASKS },
  }),
  gone(
    'other files of keys for a network',
    ['Match Address 127.0.0.1', 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u'],
    'FC13',
    'authorized_keys =',
    { untried: ASKS },
  ),
  block('sshd does not tell a network its key', ['Match Address 127.0.0.1', 'ExposeAuthInfo no'], 'FC13', 'ExposeAuthInfo yes', {
    keepsOut: 'alice',
  }),
  line('authorities of certificates', ['TrustedUserCAKeys /etc/ssh/ssh_host_ed25519_key.pub'], 'FC13', 'trusted_user_ca_keys', {
    ...{ how: 'unsshd', untried: ASKS },
  }),
  line(
    'keys from a program',
    ['AuthorizedKeysCommand /usr/bin/true', 'AuthorizedKeysCommandUser nobody'],
    'FC13',
    'write them into files',
    { how: 'unsshd', untried: ASKS },
  ),
  line('a line that sshd does not know', ['NoSuchKeyword yes'], 'sshd-config', 'correct the reported line', {
    ...{ how: 'unsshd', untried: 'sshd goes on with what it has read before' },
  }),

  // What runs is not what lies there.
  {
    what: 'an exemption with an old date, not loaded',
    script:
      "printf 'Match User carol\\n ForceCommand none\\n' >/etc/ssh/sshd_config.d/05-seed.conf; touch -d 2020-01-01 /etc/ssh/sshd_config.d/05-seed.conf",
    ...{ id: 'sshd-reload', fix: 'systemctl reload ssh', how: 'rm /etc/ssh/sshd_config.d/05-seed.conf; reload' },
    ...{ next: 'reload', letsIn: 'carol', way: { name: 'after a reload' } },
  },
  {
    what: 'an exemption that was loaded and then deleted',
    script: "sshd 'Match User alice' 'ForceCommand none'; rm /etc/ssh/sshd_config.d/05-seed.conf",
    ...{ id: 'sshd-reload', fix: 'systemctl reload ssh', how: 'run', letsIn: 'alice' },
  },
  {
    what: 'an exemption that was loaded and then emptied',
    script: "sshd 'Match User alice' 'ForceCommand none'; : >/etc/ssh/sshd_config.d/05-seed.conf",
    ...{ id: 'sshd-reload', fix: 'systemctl reload ssh', how: 'run', letsIn: 'alice' },
  },
  {
    what: 'the folder of drop-ins was exchanged',
    script: 'cp -a /etc/ssh/sshd_config.d /etc/ssh/new; mv /etc/ssh/sshd_config.d /etc/ssh/old; mv /etc/ssh/new /etc/ssh/sshd_config.d',
    ...{ id: 'sshd-reload', fix: 'systemctl reload ssh', how: 'run', untried: 'the lines are the same' },
  },
  {
    what: 'a drop-in of ssh.service names another configuration',
    script: `printf '%s\\n' 'ListenAddress 127.0.0.1' 'UsePAM yes' >/etc/ssh/other
dropin ssh.service Service 'ExecStart=\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/other'`,
    ...{ id: 'no-gate', fix: 'notp setup gate', how: 'undropin ssh.service; systemctl restart ssh' },
    ...{ next: 'systemctl restart ssh', letsIn: 'alice', way: { name: 'after a restart' } },
  },
  {
    what: 'a variable of ssh.service takes the gate away',
    script: "sed -i 's/^SSHD_OPTS=.*/SSHD_OPTS=-oForceCommand=none/' /etc/default/ssh",
    ...{ id: 'no-gate', fix: 'notp setup gate', how: "sed -i 's/^SSHD_OPTS=.*/SSHD_OPTS=/' /etc/default/ssh; systemctl restart ssh" },
    ...{ next: 'systemctl restart ssh', letsIn: 'alice', way: { name: 'after a restart' } },
  },
  {
    what: 'a unit that systemd has not read again',
    script: "mkdir -p /etc/systemd/system/ssh.service.d; echo '[Service]' >/etc/systemd/system/ssh.service.d/seed.conf",
    ...{ id: 'unit-reload', fix: 'systemctl daemon-reload', how: 'systemctl daemon-reload', untried: 'the drop-in changes nothing' },
  },
  {
    what: 'the program of sshd was replaced while it runs',
    script: 'cp -p /usr/sbin/sshd /usr/sbin/sshd.new; mv /usr/sbin/sshd.new /usr/sbin/sshd',
    ...{ id: 'sshd-replaced', fix: 'systemctl restart ssh', how: 'run', untried: 'it is the same program' },
  },
  {
    what: 'a second sshd without the gate',
    script: "printf 'Port 2222\\nUsePAM yes\\nPidFile /run/second.pid\\n' >/etc/ssh/second; /usr/sbin/sshd -f /etc/ssh/second; sleep 0.3",
    ...{ id: 'no-gate', fix: 'notp setup gate', how: 'kill $(cat /run/second.pid); sleep 0.3', letsIn: 'alice', port: 2222 },
    ...{ detail: '/etc/ssh/second', together: SERVERS },
  },
  {
    what: 'a socket of systemd starts an sshd without the gate for each connection',
    script: `printf 'UsePAM yes\\n' >/etc/ssh/alone
printf '[Socket]\\nListenStream=2224\\nAccept=yes\\n' >/etc/systemd/system/alone.socket
printf '[Service]\\nExecStart=-/usr/sbin/sshd -i -f /etc/ssh/alone\\nStandardInput=socket\\n' >/etc/systemd/system/alone@.service
systemctl daemon-reload; systemctl start alone.socket`,
    ...{ id: 'no-gate', fix: 'notp setup gate', how: 'systemctl stop alone.socket', letsIn: 'alice', port: 2224 },
    ...{ detail: 'alone.socket', together: SERVERS },
  },
  {
    what: 'dropbear on another port',
    script: `dropbearkey -t ed25519 -f /root/dropbear.key >/dev/null; dropbear -r /root/dropbear.key -p 127.0.0.1:2223 -P /run/dropbear.pid; sleep 0.3`,
    ...{ id: 'beside-ssh', fix: 'stop it', how: 'kill $(cat /run/dropbear.pid); sleep 0.3', letsIn: 'alice', port: 2223 },
    ...{ clean: 'rm /root/dropbear.key', together: SERVERS },
  },

  // Beside the gate, with their files in /etc/pam.d as Debian's packages write them.
  {
    ...{ what: 'vsftpd, as its package has it, with local users', id: 'beside-network', detail: 'vsftpd', fix: 'examples/pam.d' },
    script: `${HAS_PASSWORD}; cp -a /opt/vsftpd/etc/. /etc/; cp -a /opt/vsftpd/usr/sbin/vsftpd /usr/sbin/; useradd --system ftp
cp /opt/vsftpd/lib/systemd/system/vsftpd.service /etc/systemd/system/; systemctl daemon-reload; systemctl start vsftpd; sleep 0.5`,
    ...{ how: withCode('vsftpd'), letsIn: 'alice', way: BY_FTP, isUsual: true, isWarning: true, together: BESIDE },
    clean: 'systemctl stop vsftpd; rm /usr/sbin/vsftpd',
  },
  ...[pamBeside('cockpit', 'beside-network', COCKPIT), pamBeside('polkit-1', 'beside', POLKIT)],
  {
    ...{ what: '`su` asks for no code', script: `printf 'root:%s\\n' '${PASSWORD}' | chpasswd`, id: 'beside', detail: 'login, su, ' },
    ...{ fix: 'the lines of examples/pam.d/sudo-notp', how: withCode('su'), letsIn: 'bob', way: BY_SU },
    ...{ isUsual: true, isWarning: true, together: BESIDE },
  },

  // Nobody gets in.
  mode('the program cannot be run', '/usr/bin/notp', '644', 'FC17', 'chmod 755 /usr/bin/notp', { keepsOut: 'alice' }),
  mode('only root can run the program', '/usr/bin/notp', '700', 'FC17', 'chmod 755 /usr/bin/notp', { keepsOut: 'alice' }),
  {
    what: 'the program is on a mount without programs',
    script: `mkdir -p /mnt/n; mount -t tmpfs -o noexec,mode=755 seed /mnt/n; cp /usr/bin/notp /mnt/n/notp; sed -i s,/usr/bin/notp,/mnt/n/notp, ${DROP_IN}; reload`,
    ...{ id: 'FC17', fix: 'mount -o remount,exec /mnt/n', how: 'mount -o remount,exec /mnt/n', keepsOut: 'alice' },
    clean: `sed -i s,/mnt/n/notp,/usr/bin/notp, ${DROP_IN}; reload; umount /mnt/n`,
  },
  {
    what: 'the program is not there',
    script: `sed -i s,/usr/bin/notp,/usr/local/bin/notp, ${DROP_IN}; reload`,
    ...{ id: 'FC1', fix: 'install notp', how: 'cp -p /usr/bin/notp /usr/local/bin/notp', keepsOut: 'alice' },
    clean: 'rm -f /usr/local/bin/notp',
  },
  mode('others can write the program', '/usr/bin/notp', '777', 'FC1', 'let only root write it', {
    script: 'cp -p /usr/bin/notp /root/notp; chmod 777 /usr/bin/notp',
    next: `stop; ${asAlice('printf "%s\\n" "#!/bin/sh" "eval \\"\\$SSH_ORIGINAL_COMMAND\\"" >/usr/bin/notp')}`,
    ...{ how: 'cp -p --remove-destination /root/notp /usr/bin/notp', clean: 'rm /root/notp', writable: '/usr/bin/notp' },
    ...{ letsIn: 'alice', way: { name: 'by her own program' } },
  }),
  config('the gate names a configuration that is not there', ':', 'write /etc/notp/other.toml', 'touch /etc/notp/other.toml'),
  config(
    'the gate names a configuration of a user',
    'touch /etc/notp/other.toml; chown alice /etc/notp/other.toml',
    'chown -h root',
    'chown -h root /etc/notp/other.toml && chmod 644 /etc/notp/other.toml',
    // It is refused to all but that user.
    { keepsOut: 'bob' },
  ),
  config(
    'the gate names a configuration that only root reads',
    'install -m 600 /dev/null /etc/notp/other.toml',
    'chmod 644 /etc/notp/other.toml',
    'run',
  ),
  config('the gate names a broken configuration', 'echo foo=1 >/etc/notp/other.toml', 'known here', ': >/etc/notp/other.toml'),
  {
    ...{ what: 'only root can read the configuration', script: 'install -m 600 /dev/null /etc/notp/notp.toml; stop', id: 'configuration' },
    ...{ fix: 'chmod 644 /etc/notp/notp.toml', how: 'run', keepsOut: 'alice' },
  },
  mode('only root can enter the folder of the configuration', '/etc/notp', '700', 'configuration', 'chmod 755 /etc/notp', {
    keepsOut: 'alice',
  }),
  { what: 'a file nologin', script: 'touch /etc/nologin', id: 'nologin', fix: 'rm /etc/nologin', how: 'run', keepsOut: 'alice' },
  {
    ...{ what: "a user's socket is stopped", script: 'stop; systemctl stop notp@$(id -u alice).socket', id: 'service-socket' },
    ...{ fix: 'systemctl restart', how: 'run', keepsOut: 'alice' },
  },
  {
    ...{
      what: "a user's socket is masked",
      script:
        'stop; systemctl stop notp@$(id -u alice).socket; ln -sf /dev/null /etc/systemd/system/notp@$(id -u alice).socket; systemctl daemon-reload',
    },
    ...{ id: 'service-socket', fix: 'systemctl unmask', how: 'run', keepsOut: 'alice' },
  },
  {
    ...{
      what: "a user's socket does not start at boot",
      script: 'systemctl disable --quiet notp@$(id -u bob).socket',
      id: 'service-socket',
    },
    ...{ fix: 'systemctl enable', how: 'run', detail: 'disabled', together: SMALL, untried: UNTIL_BOOT },
  },
  {
    ...{ what: 'others can connect to a socket', script: 'chmod 666 /run/notp/$(id -u alice).sock', id: 'service-socket' },
    ...{ fix: 'systemctl restart', how: 'run', detail: 'has mode 666', together: SMALL, untried: 'others can guess codes there' },
  },
  {
    ...{ what: 'no host key', script: 'mv /etc/notp/host.key /root/host.key; stop', id: 'host-key', fix: 'bring it back from its copy' },
    ...{ how: 'mv /root/host.key /etc/notp/host.key; stop', keepsOut: 'alice' },
  },
  {
    ...{ what: 'everybody can read the host key', script: 'chmod 644 /etc/notp/host.key', id: 'host-key', fix: 'chmod', how: 'run' },
    readable: '/etc/notp/host.key',
  },
  {
    ...{ what: 'the service gets another key', script: "dropin notp@.service Service 'LoadCredential=host.key:/etc/notp/none'; stop" },
    ...{ id: 'service-credential', fix: 'remove the one', how: 'undropin notp@.service; stop', keepsOut: 'alice' },
  },
  {
    ...{
      what: 'the service cannot write its state',
      script: "dropin notp@.service Service 'ReadOnlyPaths=/var/lib/notp'; stop",
      id: 'service-answers',
    },
    ...{ fix: 'systemctl cat', how: 'undropin notp@.service; stop', keepsOut: 'alice' },
  },
  {
    ...{
      what: 'the service cannot write its log',
      script: "dropin notp@.service Service 'ReadOnlyPaths=/var/log/notp'; stop",
      id: 'service-answers',
    },
    ...{ fix: 'systemctl cat', how: 'undropin notp@.service; stop', untried: 'records wait in the state' },
  },
  mode('others can read the state', '/var/lib/notp/state.db', '644', 'state-file', 'chmod 600', {
    ...{ clean: 'chmod 600 /var/lib/notp/state.db', keepsOut: 'alice' },
  }),
  mode('others can read the log', '/var/log/notp/audit.log', '644', 'log-file', 'chmod 600', {
    ...{ together: SMALL, clean: 'chmod 600 /var/log/notp/audit.log', untried: 'its folder is closed to others' },
  }),
  mode('others can write a home', '/home/alice', '777', 'sealed-file', 'chmod go-w /home/alice', { keepsOut: 'alice' }),
  mode('others can write the folder of sealed files', '/home/alice/.notp', '777', 'sealed-file', 'chmod go-w', { keepsOut: 'alice' }),
  mode('others can read a sealed file', '/home/alice/.notp/ssh', '644', 'sealed-file', 'chmod 600', { keepsOut: 'alice' }),
  {
    ...{ what: 'a sealed file is gone', script: 'mv /home/alice/.notp/ssh /root/sealed', id: 'sealed-file', fix: 'notp-enroll alice' },
    ...{ how: 'mv /root/sealed /home/alice/.notp/ssh', keepsOut: 'alice' },
  },
  {
    ...{ what: 'another context in notp.toml', script: 'echo \'context = "phone"\' >/etc/notp/notp.toml; stop', id: 'context' },
    ...{ fix: 'name the context', how: 'rm /etc/notp/notp.toml; stop', keepsOut: 'alice' },
  },
  {
    ...{ what: 'an enrolled user was deleted', script: 'cp -p /etc/passwd /root/passwd; sed -i /^bob:/d /etc/passwd', id: 'user-gone' },
    ...{ fix: 'notp revoke --user bob', how: 'cp -p /root/passwd /etc/passwd', untried: 'nobody has that name' },
  },
  {
    ...{
      what: 'an enrolled user was renamed',
      script: 'usermod -l bobby bob',
      id: 'user-renamed',
      fix: 'notp-enroll bobby',
      how: 'usermod -l bob bobby',
      untried: 'bobby is not enrolled, and is refused',
    },
  },
  {
    what: 'csh as a login shell',
    script: `usermod -s /bin/tcsh alice; echo 'sh -c "$SSH_ORIGINAL_COMMAND"; exit' >/home/alice/.tcshrc`,
    id: 'FC11',
    fix: 'chsh -s /bin/bash',
    how: 'usermod -s /bin/bash alice',
    clean: 'rm /home/alice/.tcshrc',
    letsIn: 'alice',
    way: { name: 'by her own ~/.tcshrc' },
  },
  ...['/usr/bin/git-shell', '/usr/bin/rbash'].map((shell): Seed => ({
    what: `${shell} as a login shell`,
    script: `usermod -s ${shell} alice`,
    ...{ id: 'FC11', fix: 'the PAM door', how: 'usermod -s /bin/bash alice', keepsOut: 'alice' },
  })),
  {
    what: 'a rule refuses a group that is not there',
    script: 'printf \'[[rule]]\\nask = "refuse"\\nusers = ["@gone"]\\n\' >/etc/notp/notp.toml; stop',
    ...{ id: 'rule-groups', fix: 'add the group', how: 'groupadd gone; stop', keepsOut: 'alice' },
  },
  touchless('a rule goes by the touch of a device, which sshd does not require'),
  {
    what: 'the encrypted host key cannot be decrypted any more, as with a TPM that is gone',
    script: `systemd-creds encrypt --name=host.key /etc/notp/host.key /etc/notp/host.key.cred; mv /etc/notp/host.key /root/host.key
dropin notp@.service Service 'LoadCredential=\nLoadCredentialEncrypted=host.key:/etc/notp/host.key.cred'
mv /var/lib/systemd/credential.secret /root/; stop`,
    ...{ id: 'service-answers', fix: 'systemctl status', untried: 'as without a host key, but each login waits for half a minute' },
    how: 'mv /root/host.key /etc/notp/; rm /etc/notp/host.key.cred; undropin notp@.service; stop',
    clean: 'mv /root/credential.secret /var/lib/systemd/',
  },
  {
    what: 'the clock is a day behind',
    script: `secret=$(/opt/copy/notp enroll --user bob --replace --no-confirm --json | sed 's/.*"secret":"\\([A-Z2-7]*\\)".*/\\1/')
LC_NOTP=$(oathtool --totp --base32 "$secret") ssh -F none -i ${CLIENT_KEY} -o StrictHostKeyChecking=no -o LogLevel=ERROR -o SendEnv=LC_NOTP bob@127.0.0.1 true
dropin notp@.service Service "Environment=LD_PRELOAD=$(faketime @0 sh -c 'echo $LD_PRELOAD') FAKETIME=-1d NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1"; stop`,
    ...{ id: 'clock-behind', fix: 'timedatectl set-ntp true', how: 'undropin notp@.service; stop', clock: '-1d', keepsOut: 'alice' },
  },
  {
    what: 'the clock is not synchronised, says a timedatectl that stands in for the machine’s',
    script: `mv /run/systemd/container /root/container; cp -p /usr/bin/timedatectl /root/
printf '%s\\n' '#!/bin/sh' 'case $1 in set-ntp) touch /run/ntp ;; *) [ -e /run/ntp ] && echo yes || echo no ;; esac' >/usr/bin/timedatectl`,
    ...{ id: 'clock-synchronised', fix: 'timedatectl set-ntp true', how: 'timedatectl set-ntp true', together: SMALL },
    ...{ clean: 'mv /root/container /run/systemd/; mv /root/timedatectl /usr/bin/; rm /run/ntp', untried: 'the clock is still right' },
  },
  ...['timer', 'path'].map((kind): Seed => ({
    what: `notp-doctor.${kind} is off`,
    script: `systemctl disable --quiet --now notp-doctor.${kind}`,
    ...{ id: 'goes-on', fix: `notp-doctor.${kind}`, how: 'run', detail: `notp-doctor.${kind} is`, together: SMALL },
    ...{ clean: `systemctl start notp-doctor.${kind}`, untried: 'nobody is told what changes' },
  })),
  {
    what: 'a login shell that is not there',
    script: 'usermod -s /bin/none alice',
    ...{ id: 'FC11', fix: 'chsh -s /bin/bash', how: 'usermod -s /bin/bash alice', keepsOut: 'alice' },
  },
  {
    ...{ what: 'a login shell that a user can change', script: OWN_SHELL, id: 'FC11', fix: 'chsh -s /bin/bash' },
    ...{ how: 'usermod -s /bin/bash alice', clean: 'rm /home/alice/bash', letsIn: 'alice', way: { name: 'by her own shell' } },
  },
  {
    what: '~/.pam_environment is read, and no `SetEnv` of notp',
    script: `sed -i 's/user_readenv=0/user_readenv=1/' /etc/pam.d/sshd
${asFile('alice')}; printf '%s\\n' 'SHLVL DEFAULT=3' 'BASH_ENV DEFAULT=/home/alice/env' >/home/alice/.pam_environment`,
    ...{ lines: [NO_SETENV], id: 'FC12', fix: 'user_readenv=0', how: "sed -i 's/user_readenv=1/user_readenv=0/' /etc/pam.d/sshd" },
    ...{ letsIn: 'alice', way: { name: 'by her own ~/.pam_environment' }, leaves: ['FC9'] },
    clean: 'rm /home/alice/env /home/alice/.pam_environment',
  },

  // Whoever writes these decides who gets in.
  ...owned(
    [
      ...['/etc/ssh/sshd_config', DROP_IN, '/etc/pam.d/sshd', '/etc/pam.d/common-account', '/etc/passwd', '/etc/group'],
      ...['/etc/nsswitch.conf', '/etc/environment', '/etc/security/pam_env.conf', '/etc/default/ssh', '/etc/systemd/system/notp@.service'],
    ],
    {
      [DROP_IN]: {
        ...{ next: `${asAlice(`echo ForceCommand none >${DROP_IN}`)}; reload`, again: 'reload' },
        ...{ letsIn: 'alice', way: { name: 'by her own line' } },
      },
    },
  ),
  ...owned(['/etc/ssh/sshd_config.d', '/etc/pam.d', '/etc/systemd/system']),
  {
    ...{
      what: 'a drop-in of ssh.service belongs to a user',
      script: 'dropin ssh.service Service ""; chown alice /etc/systemd/system/ssh.service.d/seed.conf',
    },
    ...{ id: 'read-by-root', fix: 'chown -h root /etc/systemd', how: 'run', clean: 'undropin ssh.service', together: 'more of a user' },
    ...{ writable: '/etc/systemd/system/ssh.service.d/seed.conf' },
  },
  {
    ...{
      what: 'a preloaded library belongs to a user',
      script: 'touch /etc/ld.so.preload; chown alice /etc/ld.so.preload',
      id: 'read-by-root',
    },
    ...{ fix: 'chown -h root /etc/ld.so.preload', how: 'run', clean: 'rm /etc/ld.so.preload', together: 'more of a user' },
    writable: '/etc/ld.so.preload',
  },
  {
    ...{ what: 'sshd includes a file in a home', script: 'touch /home/alice/more.conf', lines: ['Include /home/alice/*.conf'] },
    ...{ id: 'read-by-root', fix: 'move /home/alice', how: 'unsshd', clean: 'rm /home/alice/more.conf' },
    next: "runuser -u alice -- sh -c 'rm -f /home/alice/more.conf; echo ForceCommand none >/home/alice/more.conf'; reload",
    ...{ letsIn: 'alice', way: { name: 'by her own file' } },
  },
];
