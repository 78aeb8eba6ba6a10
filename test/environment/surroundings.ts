/** Surroundings that an attacker, an accident or a strange machine can give a process, and what a login with a right code comes to in them. */

/** `enters`: it is none of a login's business. `refused`: nothing can be decided. `either`: as the kernel has it, but never without a record. */
export type Expected = 'enters' | 'refused' | 'either';

export interface Surrounding {
  readonly what: string;
  readonly expected: Expected;
  /** The same at the gate, where it is something else: the code is in the environment, and the state is the service's. */
  readonly gate?: Expected;
  /** Variables besides those of PAM; bytes as latin1. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What a shell does, as root, before it becomes `"$@"`, which is notp; USER_HOME is the home of the user. */
  readonly before?: string;
  /** The same in a mount namespace of its own. */
  readonly mounts?: string;
  /** Words before those of notp. */
  readonly through?: readonly string[];
}

type Row = readonly [what: string, expected: Expected, value: string, gate?: Expected];

const LONG = 'x'.repeat(4096);

const VARIABLES: readonly Surrounding[] = (
  [
    ['NODE_OPTIONS', '--require=/nonexistent --inspect-brk'],
    ['NODE_V8_COVERAGE', '/nonexistent'],
    ['NODE_REDIRECT_WARNINGS', '/nonexistent/warnings'],
    ['NODE_EXTRA_CA_CERTS', '/etc/shadow'],
    ['NODE_ICU_DATA', '/nonexistent'],
    ['NODE_CHANNEL_FD', '3'],
    ['NODE_COMPILE_CACHE', '/nonexistent'],
    ['NODE_PENDING_DEPRECATION', '1'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
    ['UV_THREADPOOL_SIZE', '-1'],
    ['UV_USE_IO_URING', '1'],
    ['LD_LIBRARY_PATH', '/nonexistent'],
    ['OPENSSL_CONF', '/etc/passwd'],
    ['SSL_CERT_FILE', '/etc/passwd'],
    ['SQLITE_TMPDIR', '/nonexistent'],
    ['TMPDIR', '/nonexistent'],
    ['HOME', '../../nowhere'],
    ['USER', 'root'],
    ['PATH', ''],
    ['IFS', 'n'],
    ['LC_ALL', 'xx_YY.nonsense'],
    ['LC_ALL', 'tr_TR.UTF-8'],
    ['TZ', ':/etc/shadow'],
    ['TZ', 'nonsense'],
    ['TZ', 'Pacific/Kiritimati'],
    ['TERM', '\x1b[31m'],
    ['TERM', LONG],
    ['COLUMNS', '-1'],
    ['NO_COLOR', LONG],
    ['PAM_RHOST', '\xff\xfe\x1b]0;owned\x07\n{"event":"login.accepted"}'],
    ['PAM_TTY', '../../../dev/mem\r\n'],
    ['PAM_SERVICE', `${LONG}\u00e9\xff`],
    ['PAM_RUSER', '\xc3\x28'],
    ['SSH_AUTH_INFO_0', '\x1b[2J'.repeat(100)],
  ] as const
).map(([name, value]) => ({ what: `${name}=${shown(value)}`, expected: 'enters', variables: { [name]: value } }));

/** ICU cannot bear it, so that Node.js crashes before it runs anything: nobody gets in. */
const NO_LOCALE: Surrounding = { what: 'LANG=xxx… (4096)', expected: 'refused', variables: { LANG: LONG } };

const NO_NAME: Surrounding = {
  what: 'PAM_USER=r\\xf6\\xf6t',
  expected: 'refused',
  gate: 'enters',
  variables: { PAM_USER: 'r\xf6\xf6t' },
};

const CROWDED: Surrounding = {
  what: 'a thousand variables of a hundred bytes',
  expected: 'enters',
  variables: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`V${String(i)}`, 'v'.repeat(100)])),
};

const PROCESS: readonly Surrounding[] = (
  [
    ['umask 0', 'enters', 'umask 0'],
    ['umask 0777', 'enters', 'umask 0777'],
    ['a working folder that is gone', 'enters', 'folder=$(mktemp -d); cd "$folder"; rmdir "$folder"'],
    [
      'a working folder with files for Node.js',
      'enters',
      'cd "$(mktemp -d)"; mkdir -p node_modules/commander; echo "process.exit(0)" >node_modules/commander/index.js; echo "{}" >package.json',
    ],
    ['no stdin', 'refused', 'exec 0<&-', 'enters'],
    ['no stdout', 'enters', 'exec 1>&-'],
    ['no stderr', 'enters', 'exec 2>&-'],
    ['neither stdout nor stderr', 'enters', 'exec 1>&- 2>&-'],
    ['none of the three', 'refused', 'exec 0<&- 1>&- 2>&-', 'enters'],
    ['a full stdout', 'enters', 'exec 1>/dev/full'],
    ['stdin at a folder', 'refused', 'exec 0</', 'enters'],
    ['32 open files', 'either', 'ulimit -n 32'],
    ['16 open files', 'either', 'ulimit -n 16'],
    ['4 open files', 'refused', 'ulimit -n 4'],
    ['no files written', 'refused', 'ulimit -f 0', 'enters'],
    ['200 MB of address space', 'refused', 'ulimit -v 200000'],
    ['a stack of 200 kB', 'either', 'ulimit -s 200'],
    ['one second of processor time', 'either', 'ulimit -t 1'],
    ['every signal ignored', 'enters', 'trap "" HUP INT QUIT TERM PIPE CHLD ALRM USR1 USR2 XFSZ'],
    ['the lowest priority', 'enters', 'renice -n 19 $$ >/dev/null'],
  ] as const satisfies readonly Row[]
).map(([what, expected, before, gate]: Row) => ({ what, expected, before, ...(gate === undefined ? {} : { gate }) }));

const MOUNTS: readonly Surrounding[] = (
  [
    ['a home that is read-only', 'enters', 'mount --bind "$USER_HOME" "$USER_HOME"; mount -o remount,bind,ro "$USER_HOME"'],
    ['a home that is not mounted', 'refused', 'mount -t tmpfs -o mode=755 none "$USER_HOME"'],
    [
      'a home that is full',
      'enters',
      'kept=$(mktemp -d); cp -a "$USER_HOME/." "$kept"; mount -t tmpfs -o size=64k,mode=755 none "$USER_HOME"; cp -a "$kept/." "$USER_HOME"; chown --reference="$kept/.notp" "$USER_HOME"; head -c 1M /dev/zero >"$USER_HOME/filler" 2>/dev/null || :',
    ],
    ['a home that its owner cannot enter', 'refused', 'mount -t tmpfs -o mode=700 none "$USER_HOME"'],
    [
      'a home that everybody can write',
      'refused',
      'kept=$(mktemp -d); cp -a "$USER_HOME/." "$kept"; mount -t tmpfs -o mode=777 none "$USER_HOME"; cp -a "$kept/." "$USER_HOME"; chmod 777 "$USER_HOME"',
    ],
    ['a /proc that hides processes', 'enters', 'mount -t proc -o hidepid=2 proc /proc'],
    ['no /proc', 'refused', 'mount -t tmpfs none /proc', 'enters'],
    ['an empty /dev', 'either', 'mount -t tmpfs none /dev'],
    ['an empty /etc/passwd', 'refused', 'mount --bind /dev/null /etc/passwd'],
    ['a read-only /tmp', 'refused', 'mount --bind /tmp /tmp; mount -o remount,bind,ro /tmp', 'enters'],
  ] as const satisfies readonly Row[]
).map(([what, expected, mounts, gate]: Row) => ({ what, expected, mounts, ...(gate === undefined ? {} : { gate }) }));

const KERNEL: readonly Surrounding[] = [
  {
    what: 'a kernel without random numbers',
    expected: 'either',
    through: ['strace', '-f', '-o', '/dev/null', '-e', 'inject=getrandom:error=EAGAIN'],
  },
  {
    what: 'a kernel that does not flush',
    expected: 'refused',
    gate: 'enters',
    through: ['strace', '-f', '-o', '/dev/null', '-e', 'inject=fsync,fdatasync:error=EIO'],
  },
  {
    what: 'a home on a stale network mount',
    expected: 'refused',
    through: ['strace', '-f', '-o', '/dev/null', '-P', '$FILE', '-e', 'inject=openat:error=ESTALE'],
  },
];

export const SURROUNDINGS: Readonly<Record<string, readonly Surrounding[]>> = {
  'environment variables, locales, time zones and terminals': [...VARIABLES, NO_LOCALE, NO_NAME, CROWDED],
  'working folders, umasks, closed descriptors and low limits': PROCESS,
  'homes and system folders that are missing, full, read-only or open': MOUNTS,
  'kernels that give no random numbers or do not flush': KERNEL,
};

/** For a title. */
function shown(value: string): string {
  const printable = JSON.stringify(value).slice(1, -1);
  return printable.length > 40 ? `${printable.slice(0, 20)}… (${String(value.length)})` : printable;
}
