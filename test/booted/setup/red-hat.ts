/** The PAM layout of Red Hat, for the tests of `notp setup`. */

/** As authselect writes it; pam_unix is `sufficient` there, and ends whatever includes it. */
const PASSWORD_AUTH = `auth        required                                     pam_env.so
auth        required                                     pam_faildelay.so delay=100000
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        [default=1 ignore=ignore success=ok]         pam_localuser.so
auth        sufficient                                   pam_unix.so nullok
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        sufficient                                   pam_sss.so forward_pass
auth        required                                     pam_deny.so
account     required      pam_unix.so
session     optional      pam_keyinit.so revoke
session     required      pam_limits.so
session     required      pam_unix.so
`;
export const RED_HAT: Readonly<Record<string, string>> = {
  'password-auth': PASSWORD_AUTH,
  'system-auth': PASSWORD_AUTH,
  postlogin: 'session     optional      pam_lastlog.so silent\n',
  sshd: `#%PAM-1.0
auth       substack     password-auth
auth       include      postlogin
account    required     pam_nologin.so
account    include      password-auth
session    required     pam_loginuid.so
session    include      password-auth
`,
  sudo: `#%PAM-1.0
auth       include      system-auth
account    include      system-auth
session    include      system-auth
`,
  'sudo-i': `#%PAM-1.0
auth       include      sudo
account    include      sudo
session    required     pam_loginuid.so
session    include      sudo
`,
};
