/** The users and groups that a setup applies to, in the syntax of sshd (`Match`) and PAM (pam_succeed_if). Pure. */

/** One account with all of its names. */
export interface Account {
  /** Its name in the passwd database. */
  readonly name: string;
  readonly uid: number;
  /** All names of the uid, including `name`: sshd compares them with the typed name, letter by letter. */
  readonly spellings: readonly string[];
}

export interface Scope {
  /** The names are checked with canMatch(). If both lists are empty, the setup applies to everybody. */
  readonly users: readonly Account[];
  readonly groups: readonly string[];
}

export const EVERYBODY: Scope = { users: [], groups: [] };

/** Characters that sshd reads as a pattern, list or quote, some of them differently by version. `[` and `]` enclose words of PAM. */
const NO_PATTERN = /[,!*?"'#=:[\]]|\\[\\ ]|^ | $|\\$/;

export function isEverybody({ users, groups }: Scope): boolean {
  return users.length === 0 && groups.length === 0;
}

/** Whether a user or group name can be written in a Match line and in a PAM line so that it matches only itself. */
export function canMatch(name: string): boolean {
  return !NO_PATTERN.test(name);
}

/** The criteria of each Match block (sshd_config(5)), as Latin-1. Users and groups need blocks of their own: on one line both must match. */
export function matchCriteria({ users, groups }: Scope): string[] {
  const names = users.flatMap(({ spellings }) => spellings);
  return [...(names.length === 0 ? [] : [`User ${listOf(names)}`]), ...(groups.length === 0 ? [] : [`Group ${listOf(groups)}`])];
}

/**
 * Auth lines that jump over the next `skip` modules for users outside the scope (pam_succeed_if(8)), as Latin-1. Only a clear no (auth_err)
 * leads to the next condition, and after the last one past the code; after an error the code is asked for. Users are tested by uid and by
 * name, as either may change and sshd uses the name.
 */
export function pamConditions({ users, groups }: Scope, skip: number): string[] {
  const who = users.map(({ name, uid }) => `# uid ${String(uid)}: ${bytesOf(name)}`);
  const names = users.flatMap(({ spellings }) => spellings.filter(canMatch));
  const questions = [
    ...(users.length === 0 ? [] : [`uid in ${users.map(({ uid }) => String(uid)).join(':')}`]),
    ...(names.length === 0 ? [] : [`user in ${word(names.join(':'))}`]),
    ...(groups.length === 0 ? [] : [`user ingroup ${word(groups.join(':'))}`]),
  ];
  const lines = questions.map((question, i) => {
    const left = questions.length - 1 - i;
    const control = left === 0 ? `auth_err=${String(skip)} default=ignore` : `auth_err=ignore ignore=ignore default=${String(left)}`;
    return `auth       [${control}] pam_succeed_if.so quiet ${question}`;
  });
  return [...who, ...lines];
}

/** The scope as text for people. */
export function describeScope({ users, groups }: Scope): string {
  const parts = [
    ...(users.length === 0 ? [] : [`the users ${users.map(({ name }) => name).join(', ')}`]),
    ...(groups.length === 0 ? [] : [`the groups ${groups.join(', ')}`]),
  ];
  return parts.length === 0 ? 'everybody' : parts.join(' and ');
}

function listOf(names: readonly string[]): string {
  const list = bytesOf(names.join(','));
  return list.includes(' ') ? `"${list}"` : list;
}

/** One argument of pam.d(5). */
function word(text: string): string {
  return text.includes(' ') ? `[${bytesOf(text)}]` : bytesOf(text);
}

/** The bytes of `text` as Latin-1: the files of sshd and PAM are handled byte by byte, in whatever encoding they are. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
