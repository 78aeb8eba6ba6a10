/** The help that `notp` alone shows: the everyday commands in groups, on 80 columns and 24 rows. Pure. */

/** The groups in which `notp help --all` lists every command. */
export const GROUPS = {
  login: 'Your login:',
  codes: 'Your codes:',
  administration: 'Administration:',
  called: 'Called by sshd, PAM and systemd:',
} as const;

/** The group of each command. */
export const GROUP_OF: Readonly<Record<string, keyof typeof GROUPS>> = {
  ...{ status: 'login', enroll: 'login', recovery: 'login', verify: 'login', revoke: 'login', reseal: 'login', forget: 'login' },
  ...{
    import: 'codes',
    code: 'codes',
    list: 'codes',
    export: 'codes',
    passphrase: 'codes',
    rename: 'codes',
    remove: 'codes',
    demo: 'codes',
  },
  ...{ 'notp-enroll': 'administration', setup: 'administration', doctor: 'administration', audit: 'administration' },
  ...{ unlock: 'administration', rules: 'administration', config: 'administration', 'host-key': 'administration', store: 'administration' },
  ...{ grant: 'administration', grants: 'administration', metrics: 'administration', fleet: 'administration' },
  ...{ gate: 'called', pam: 'called', serve: 'called' },
};

/** What most people need, in fewer words than the help of each command has. */
const EVERYDAY: readonly (readonly [keyof typeof GROUPS, Readonly<Record<string, string>>])[] = [
  ['login', { status: 'whether you can log in, and why not', enroll: 'a new secret for your login', recovery: 'new recovery codes' }],
  [
    'codes',
    {
      import: 'keep the secret of another service, or a backup of another app',
      code: 'the current codes, live',
      list: 'the names of your secrets',
      export: 'move a secret to a phone, or save all',
      demo: 'try it: a throw-away secret, nothing is stored',
    },
  ],
  [
    'administration',
    {
      'notp-enroll': 'a secret for somebody: notp-enroll NAME',
      setup: 'let sshd, PAM and sudo ask for codes; undo it',
      doctor: 'check the whole login path, and say how to mend it',
      audit: 'the log of all decisions',
      unlock: 'give back tries; notp revoke ends an enrolment',
    },
  ],
];

/** The whole text. */
export function everydayHelp(): string {
  const width = Math.max(...EVERYDAY.flatMap(([, commands]) => Object.keys(commands).map((name) => name.length)));
  const groups = EVERYDAY.map(([group, commands]) => {
    const lines = Object.entries(commands).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
    return [GROUPS[group], ...lines].join('\n');
  });
  const called = `${GROUPS.called} ${namesIn('called').join(', ')}`;
  return `Usage: notp COMMAND [OPTIONS]\n\n${groups.join('\n')}\n${called}\n\nnotp help COMMAND tells more, notp help --all lists every command.\n`;
}

function namesIn(group: keyof typeof GROUPS): readonly string[] {
  return Object.entries(GROUP_OF).flatMap(([name, its]) => (its === group ? [name] : []));
}

/** What `notp help …` stands for: the words of another call, or undefined for the everyday help. */
export function helpWords([first, ...rest]: readonly string[]): readonly string[] | undefined {
  if (first === undefined) return undefined;
  return first === '--all' ? ['--help'] : [first, ...rest, '--help'];
}
