/** Whom a setup concerns, as sshd (`Match`) and PAM (pam_succeed_if) have to be told. Pure. */

/** One account by all of its names. */
export interface Account {
  /** What the passwd database calls it. */
  readonly name: string;
  readonly uid: number;
  /** All names of the uid, that one too: sshd compares with what the client typed, letter by letter. */
  readonly spellings: readonly string[];
}

export interface Scope {
  /** Checked already, with canMatch(). Where both lists are empty everybody is concerned. */
  readonly users: readonly Account[];
  readonly groups: readonly string[];
}

/** What sshd reads as a pattern, a list or a quote, and versions of it read in different ways; `[` and `]` enclose the words of PAM. */
const NO_PATTERN = /[,!*?"'#=:[\]]|\\[\\ ]|^ | $|\\$/;

export function isEverybody({ users, groups }: Scope): boolean {
  return users.length === 0 && groups.length === 0;
}

/** Whether a name of a user or a group can stand in a Match line and in a line of PAM, and means itself alone there. */
export function canMatch(name: string): boolean {
  return !NO_PATTERN.test(name);
}

/** The criteria of each Match block (sshd_config(5)), as Latin-1: users and groups on one line would both have to hold. */
export function matchCriteria({ users, groups }: Scope): string[] {
  const names = users.flatMap(({ spellings }) => spellings);
  return [...(names.length === 0 ? [] : [`User ${listOf(names)}`]), ...(groups.length === 0 ? [] : [`Group ${listOf(groups)}`])];
}

/**
 * Lines of an auth stack that jump over the next `skip` modules for who is not concerned (pam_succeed_if(8)), as Latin-1. Only a
 * clear no (auth_err) leads on to the next question, and only after the last one over the code: where the answer is an error the code is
 * asked for. Users are asked about by uid and by name, for one of the two may change: sshd goes by the name.
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

/** For a person. */
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

/** The files of sshd and PAM are taken byte by byte, as Latin-1, whatever they are written in. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
