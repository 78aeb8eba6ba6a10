/** Configurations as distributions ship them and administrators write them: doctor has nothing to say about them, beside what it says anyway. */

export interface Good {
  readonly what: string;
  readonly door: 'gate' | 'pam';
  readonly script: string;
  readonly clean?: string;
}

const sshd = (door: Good['door'], what: string, ...lines: readonly string[]): Good => ({
  ...{ what, door, script: `sshd ${lines.map((each) => `'${each}'`).join(' ')}` },
});
/** Other auth lines of the host, which the lines of notp include. */
const auth = (what: string, ...lines: readonly string[]): Good => ({
  ...{ what, door: 'pam', script: `printf '%s\\n' ${lines.map((each) => `'auth ${each}'`).join(' ')} >/etc/pam.d/common-auth` },
});
const account = (what: string, ...lines: readonly string[]): Good => ({
  ...{ what, door: 'pam', script: `printf '%s\\n' ${lines.map((each) => `'account ${each}'`).join(' ')} >/etc/pam.d/common-account` },
});

export const GOOD: readonly Good[] = [
  { what: 'Debian as it is', door: 'gate', script: ':' },
  { what: 'Debian as it is', door: 'pam', script: ':' },
  sshd('gate', 'cloud-init: `PasswordAuthentication no`', 'PasswordAuthentication no'),
  sshd('gate', 'passwords before the gate', 'PasswordAuthentication yes'),
  sshd('gate', 'root is kept out', 'PermitRootLogin no'),
  sshd('gate', 'a second port', 'Port 22', 'Port 2222'),
  sshd('gate', 'only some groups', 'AllowGroups alice bob carol'),
  sshd('gate', 'a banner and a log that tells more', 'Banner /etc/issue.net', 'LogLevel VERBOSE', 'ClientAliveInterval 60'),
  { what: 'sftp inside sshd', door: 'gate', script: "sed -i 's,^Subsystem.*,Subsystem sftp internal-sftp,' /etc/ssh/sshd_config; reload" },
  sshd('gate', 'a Match block that takes nothing away', 'Match Address 10.0.0.0/8', 'PasswordAuthentication no', 'Match all'),
  sshd('gate', 'an exemption of an account that is closed', 'Match User closed', 'ForceCommand none', 'Match all'),
  {
    ...{ what: 'weaker lines after those of notp', door: 'gate' },
    script: "printf 'X11Forwarding yes\\nAllowTcpForwarding yes\\n' >>/etc/ssh/sshd_config; reload",
  },
  { what: 'fish as a login shell', door: 'gate', script: 'usermod -s /usr/bin/fish alice' },
  { what: 'zsh as a login shell', door: 'gate', script: 'usermod -s /bin/zsh alice' },
  {
    ...{ what: 'sshd behind ssh.socket, before the first connection', door: 'gate' as const },
    script: 'systemctl stop ssh; systemctl disable -q ssh; rm -rf /run/sshd; systemctl start ssh.socket',
    clean: 'systemctl stop ssh.socket; systemctl enable -q ssh; systemctl start ssh',
  },
  {
    what: 'a drop-in of ssh.service that changes no option',
    door: 'gate',
    script: "dropin ssh.service Service 'LimitNOFILE=1024:65536'",
    clean: 'undropin ssh.service',
  },
  {
    what: 'a variable of ssh.service that changes nothing',
    door: 'gate',
    script: "sed -i 's/^SSHD_OPTS=.*/SSHD_OPTS=-4/' /etc/default/ssh",
  },
  { what: 'sssd in nsswitch.conf', door: 'gate', script: "sed -i 's/^\\(passwd\\|group\\):.*/\\1: files systemd sss/' /etc/nsswitch.conf" },
  { what: 'a configuration of one’s own', door: 'gate', script: 'printf \'[code]\\nissuer = "example"\\n\' >/etc/notp/notp.toml; stop' },
  sshd('pam', 'cloud-init: `PasswordAuthentication no`', 'PasswordAuthentication no'),
  sshd('pam', 'key and code alone', 'AuthenticationMethods publickey,keyboard-interactive:pam'),
  sshd(
    ...(['pam', 'the password method before the code', 'PasswordAuthentication yes'] as const),
    'AuthenticationMethods publickey,keyboard-interactive:pam password,keyboard-interactive:pam',
  ),
  sshd('pam', 'root is kept out', 'PermitRootLogin no'),
  sshd('pam', 'an exemption of an account that is closed', 'Match User closed', 'AuthenticationMethods any', 'Match all'),
  auth('pam_unix alone', '[success=1 default=ignore] pam_unix.so nullok', 'requisite pam_deny.so', 'required pam_permit.so'),
  auth(
    'faillock',
    'required pam_faillock.so preauth',
    '[success=1 default=ignore] pam_unix.so',
    '[default=die] pam_faillock.so authfail',
    'sufficient pam_faillock.so authsucc',
    'required pam_permit.so',
  ),
  auth(
    'sssd',
    '[success=2 default=ignore] pam_unix.so',
    '[success=1 default=ignore] pam_sss.so use_first_pass',
    'requisite pam_deny.so',
    'required pam_permit.so',
  ),
  auth(
    'winbind',
    '[success=2 default=ignore] pam_unix.so',
    '[success=1 default=ignore] pam_winbind.so krb5_auth try_first_pass',
    'requisite pam_deny.so',
    'required pam_permit.so',
  ),
  auth(
    'Kerberos',
    '[success=2 default=ignore] pam_krb5.so minimum_uid=1000',
    '[success=1 default=ignore] pam_unix.so try_first_pass',
    'requisite pam_deny.so',
    'required pam_permit.so',
  ),
  auth(
    'systemd-homed',
    '[success=2 default=ignore] pam_systemd_home.so',
    '[success=1 default=ignore] pam_unix.so',
    'requisite pam_deny.so',
    'required pam_permit.so',
  ),
  auth('Red Hat', 'required pam_env.so', 'sufficient pam_unix.so nullok', 'required pam_deny.so'),
  account('access.conf', 'required pam_access.so', 'required pam_unix.so'),
  account(
    'hours of the day',
    'required pam_time.so',
    '[success=1 new_authtok_reqd=done default=ignore] pam_unix.so',
    'requisite pam_deny.so',
    'required pam_permit.so',
  ),
  {
    what: 'homes made at the first login',
    door: 'pam',
    script: "echo 'session optional pam_mkhomedir.so umask=0077' >>/etc/pam.d/common-session",
  },
];
