/** The rules for the PAM door, on the effective configuration of one user from one address; see examples/sshd_config.d/10-notp-pam.conf. */
import { is, setting, words, type Effective } from './effective.ts';
import type { Rule } from './rule.ts';

const BEST = 'AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam,keyboard-interactive:pam';
/** Methods by which another host vouches for the user. */
const VOUCHED = ['hostbased', 'gssapi-with-mic'];
/** sshd's own defaults. Higher values are worth a remark, although notp itself counts the guesses. */
const DEFAULT_TRIES = 6;
const DEFAULT_GRACE_SECONDS = 120;

export const PAM_RULES: readonly Rule[] = [
  {
    id: 'P1',
    severity: 'fail',
    title: 'sshd does not ask PAM with a prompt',
    holds: 'sshd asks PAM with a prompt',
    fix: 'UsePAM yes and KbdInteractiveAuthentication yes',
    problem: (effective) => {
      const off = ['usepam', 'kbdinteractiveauthentication'].filter((key) => !is(effective, key, 'yes'));
      return off.length === 0 ? undefined : off.map((key) => `${key} is ${setting(effective, key) || 'not known'}`).join(', ');
    },
  },
  {
    id: 'P2',
    severity: 'fail',
    title: 'A login needs no code',
    holds: 'Every login needs a first factor and then a code',
    fix: BEST,
    problem: (effective) => {
      const lists = methodLists(effective);
      if (lists.length === 0) return 'AuthenticationMethods is any: the key alone logs in';
      return shown(
        lists.filter((list) => !endsInCode(list)),
        'without a code after a first factor',
      );
    },
  },
  {
    id: 'P2',
    severity: 'fail',
    title: 'Codes alone log in, without a key and without a password',
    holds: 'No login is made of codes alone',
    fix: 'AuthenticationMethods publickey,keyboard-interactive:pam, or the --first-pass line of examples/pam.d/sshd-notp',
    problem: (effective, { pam }) =>
      shown(
        methodLists(effective).filter((list) => !pam(effective).firstPass && endsInCode(list) && list.every(isKeyboard)),
        'consists of codes alone, as no pass of the PAM stack needs the password',
      ),
  },
  {
    id: 'P2',
    severity: 'fail',
    title: 'The PAM service of a login asks for no code',
    holds: 'The PAM service of every login asks for a code',
    fix: 'remove that PAMServiceName, or add the lines of examples/pam.d/sshd-notp to its file in /etc/pam.d',
    problem: (effective, { pam }) => {
      const { service, asks } = pam(effective);
      return leavesCodeToPam(effective) && !asks ? `the PAM service is ${service}, which has no line for the code` : undefined;
    },
  },
  {
    id: 'P3',
    severity: 'fail',
    title: 'The password method takes the place of the code',
    holds: 'No password takes the place of the code',
    fix: BEST,
    problem: (effective) =>
      shown(
        methodLists(effective).filter(
          (list) => list.includes('password') && !isKeyboard(list.slice(list.indexOf('password')).at(-1) ?? ''),
        ),
        'ends with the password',
      ),
  },
  {
    id: 'P4',
    severity: 'fail',
    title: 'The password method is on and answers the prompt for the code with the password',
    holds: 'The password method is off, or is the first of two',
    fix: 'PasswordAuthentication no',
    problem: (effective) => {
      const named = methodLists(effective).some((list) => list.includes('password'));
      return is(effective, 'passwordauthentication', 'yes') && !named
        ? 'PasswordAuthentication is yes, and no list names password'
        : undefined;
    },
  },
  {
    id: 'P5',
    severity: 'fail',
    title: 'Another host can vouch for a login without a code',
    holds: 'No other host can vouch for a login',
    fix: BEST,
    problem: (effective) =>
      shown(
        methodLists(effective).filter((list) => list.every((method) => VOUCHED.includes(method))),
        'names nothing else',
      ),
  },
  {
    id: 'P6',
    severity: 'fail',
    title: 'The codes of root never match: sshd passes other text to PAM than root types',
    holds: 'The codes that root types reach PAM',
    fix: 'PermitRootLogin yes (the lists of AuthenticationMethods still ask for everything), or no',
    problem: (effective, { root }) => {
      const permit = setting(effective, 'permitrootlogin').toLowerCase();
      return root && permit !== 'yes' && permit !== 'no' ? `PermitRootLogin is ${permit}` : undefined;
    },
  },
  {
    id: 'P10',
    severity: 'info',
    title: 'sshd lets a client try longer than by default',
    holds: 'sshd lets a client try no longer than by default',
    fix: 'MaxAuthTries 3 and LoginGraceTime 60',
    problem: (effective) => {
      const tries = Number(setting(effective, 'maxauthtries'));
      const grace = Number(setting(effective, 'logingracetime'));
      const penalties = /\bno\b/i.test(setting(effective, 'persourcepenalties'));
      const long = [
        ...(tries > DEFAULT_TRIES ? [`MaxAuthTries is ${String(tries)}`] : []),
        ...(grace === 0 || grace > DEFAULT_GRACE_SECONDS ? [`LoginGraceTime is ${String(grace)}`] : []),
        ...(penalties ? ['PerSourcePenalties is no'] : []),
      ];
      return long.length === 0 ? undefined : long.join(', ');
    },
  },
];

/** Whether sshd leaves the code of a login to PAM. */
export function leavesCodeToPam(effective: Effective): boolean {
  return methodLists(effective).some(endsInCode);
}

/** Whether a password may be the first method that sshd accepts. */
export function takesPasswordFirst(effective: Effective): boolean {
  const first = methodLists(effective).map(([method = '']) => method);
  const isTaken = (method: string, key: string): boolean =>
    is(effective, key, 'yes') && (first.length === 0 || first.some((each) => each.startsWith(method)));
  return isTaken('password', 'passwordauthentication') || isTaken('keyboard-interactive', 'kbdinteractiveauthentication');
}

/** The lists of AuthenticationMethods; empty for `any`. */
function methodLists(effective: Effective): string[][] {
  const lists = words(effective, 'authenticationmethods').map((list) => list.toLowerCase().split(','));
  return lists.filter((list) => list.join() !== 'any');
}

function endsInCode(list: readonly string[]): boolean {
  return list.length >= 2 && isKeyboard(list.at(-1) ?? '');
}

function isKeyboard(method: string): boolean {
  return method === 'keyboard-interactive' || method === 'keyboard-interactive:pam';
}

function shown(lists: readonly (readonly string[])[], why: string): string | undefined {
  return lists.length === 0 ? undefined : `${lists.map((list) => list.join()).join(' and ')}: ${why}`;
}
