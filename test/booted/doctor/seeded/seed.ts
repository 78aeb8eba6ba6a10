/** A misconfiguration as administrators make them: how it is seeded on a booted host, what doctor says, and the fix that makes that go away. */
import { BY_KEY, type Way } from './ways.ts';

export interface Seed {
  /** For the table: what is wrong. */
  readonly what: string;
  /** Run by sh as root on a host that is in order; see PRELUDE for its functions. */
  readonly script: string;
  /** Lines of sshd_config before those of notp, and lines that follow those of all seeds that are seeded together; they come after `script`. */
  readonly lines?: readonly string[];
  readonly rest?: readonly string[];
  /** Those with the same name are seeded on a host at the same time, as none has to do with another. */
  readonly together?: string;
  /** The id of the finding. */
  readonly id: string;
  /** Part of its detail, where that tells it from others. */
  readonly detail?: string;
  /** Whether doctor says it of the host without the seed too: then `detail` tells what it is about, and must be gone. */
  readonly isUsual?: boolean;
  /** Part of the fix that doctor prints. */
  readonly fix: string;
  /**
   * How the fix is applied. `run`: as a command, as it is printed. `line`: as lines of sshd_config before all others. `block`: as lines of the
   * seeded Match block. Anything else is a script that does what the fix says in words.
   */
  readonly how: 'run' | 'line' | 'block' | (string & {});
  /** Puts back what the fix leaves and what is not below /etc. */
  readonly clean?: string;
  /** Who comes in without a code before the fix, and not after it. */
  readonly letsIn?: string;
  /** How; by default with the key alone. */
  readonly way?: Way;
  /** How far the clock of doctor is off before the fix, in the words of faketime(1). */
  readonly clock?: string;
  /** What makes it so, after doctor has named it: a restart, or what a user does. */
  readonly next?: string;
  /** A file that alice, who is a user like others, can write before the fix, and not after it. */
  readonly writable?: string;
  /** Where doctor only warns of the way in. */
  readonly isWarning?: boolean;
  /** Of another server than the one with the door, where letsIn is about that. It is no failure: notp was not asked to guard it. */
  readonly port?: number;
  /** Who becomes root by sudo without a code before the fix, and not after it. */
  readonly sudoer?: string;
  /** With the login password and these options of sudo, in place of nothing at all. */
  readonly sudo?: readonly string[];
  /** Whose right code is refused before the fix, and logs in after it. */
  readonly keepsOut?: string;
  /** A file that alice can read before the fix, and not after it. */
  readonly readable?: string;
  /** For the table, where nothing is tried: why nobody gets in or is kept out by it. */
  readonly untried?: string;
  /** Ids of what doctor rightly goes on telling after the fix. */
  readonly leaves?: readonly string[];
}

/** Why no login is tried with a security key that is not touched: a container has none. */
const TOUCH = 'with a key in software in test/doors/gate-touch.test.ts';

/** Shell functions for seeds. */
export const PRELUDE = `umask 022
# A reload of sshd ends when it has read its files again, and listens: then it writes its pid file.
systemctl() {
  [ "$*" = 'reload ssh' ] || { command systemctl "$@"; return; }
  last=$(stat -c %y /run/sshd.pid)
  command systemctl reload ssh || return
  for _ in $(seq 100); do
    [ ! -s /run/sshd.pid ] || [ "$(stat -c %y /run/sshd.pid)" = "$last" ] || break
    sleep 0.02
  done
  # What is changed from now on is newer than that: times of files tick every 10 ms or more often.
  sleep 0.02
}
reload() { systemctl reload ssh; }
# Lines of sshd_config before those of notp.
sshd() { printf '%s\\n' "$@" >/etc/ssh/sshd_config.d/05-seed.conf; reload; }
unsshd() { rm -f /etc/ssh/sshd_config.d/05-seed.conf; reload; }
dropin() { mkdir -p "/etc/systemd/system/$1.d"; printf '[%s]\\n%s\\n' "$2" "$3" >"/etc/systemd/system/$1.d/seed.conf"; systemctl daemon-reload; }
undropin() { rm -r "/etc/systemd/system/$1.d"; systemctl daemon-reload; }
stop() { systemctl stop 'notp@*.service'; }
`;

/** Lines of sshd_config that lines before them mend. */
export function line(what: string, lines: readonly string[], id: string, fix: string, more: Partial<Seed> = {}): Seed {
  return { what, script: '', lines, id, fix, how: 'line', ...more };
}

/** As line(), where the line has to go. */
export function gone(what: string, lines: readonly string[], id: string, fix: string, more: Partial<Seed> = {}): Seed {
  return { ...line(what, lines, id, fix, more), how: 'unsshd' };
}

/** As line(), in a Match block. */
export function block(what: string, lines: readonly string[], id: string, fix: string, more: Partial<Seed> = {}): Seed {
  return { ...line(what, lines, id, fix, more), how: 'block' };
}

/** Root's key, where root is let in from this host alone, and by `lines` without a code. */
export function rootFromInside(lines: readonly string[], id: string, fix: string): Seed {
  const inside = ['Match User root Address 127.0.0.1', 'PermitRootLogin prohibit-password', ...lines, 'Match all', 'PermitRootLogin no'];
  return gone('root, who is not enrolled, gets in from a network alone', inside, id, fix, { letsIn: 'root', ...ROOTS_KEY });
}

/** Root has the key of the tests. */
export const ROOTS_KEY: Pick<Seed, 'script' | 'clean'> = {
  script: 'cp /home/carol/.ssh/authorized_keys /root/.ssh/',
  clean: 'rm /root/.ssh/authorized_keys',
};

/** Of a file that alice can write: what she writes into it, as a script of hers, and what root does that it counts. */
export type Written = Readonly<Record<string, Pick<Seed, 'next' | 'letsIn' | 'way'> & { readonly again?: string }>>;

/** Files, or folders, of somebody else, or that others can write. After the fix root puts back what was `written` into them. */
export function owned(files: readonly string[], written: Written = {}): Seed[] {
  const id = 'read-by-root';
  const kind = files.join(' ');
  return [
    ...files.map((file): Seed => {
      const { again = ':', ...tried } = written[file] ?? {};
      const fix = `chown -h root ${file}`;
      return {
        ...{ what: `${file} belongs to a user`, script: `chown alice ${file}`, id, fix },
        how: file in written ? `${fix} && cp -p /root/etc${file.slice('/etc'.length)} ${file}; ${again}` : 'run',
        ...{ writable: file, together: `the user's: ${kind}`, ...tried },
      };
    }),
    ...files.map((file): Seed => ({
      ...{ what: `${file} can be written by all`, script: `chmod o+w ${file}`, id, fix: `chmod go-w ${file}`, how: 'run' },
      ...{ writable: file, together: `everybody's: ${kind}` },
    })),
  ];
}

/** What alice does as a shell script. */
export function asAlice(script: string): string {
  return `runuser -u alice -- sh -c '${script}'`;
}

/** A rule that asks for no code where a device with the key is touched, of which sshd requires nothing. */
export function touchless(what: string, script = '', clean = ''): Seed {
  const rule = '[[rule]]\\nask = "nothing"\\nkeys = ["sk-*"]\\nreason = "seed"\\n';
  return {
    ...{ what, script: `printf '${rule}' >/etc/notp/notp.toml; stop; ${script}`, clean, leaves: ['rules', 'let-in'] },
    ...{ id: 'touch', fix: 'PubkeyAuthOptions touch-required', how: 'line', untried: TOUCH },
  };
}

/** For the table: what was tried before the fix, and after it, or why nothing was. */
export function triedOf({ letsIn, way = BY_KEY, keepsOut, sudoer, writable, readable, untried }: Seed): string {
  const tried = [
    ...(letsIn === undefined ? [] : [`${letsIn} gets in${way.name === '' ? '' : ` ${way.name}`}`]),
    ...(keepsOut === undefined ? [] : [`${keepsOut} is kept out`]),
    ...(sudoer === undefined ? [] : [`${sudoer} becomes root`]),
    ...(writable === undefined ? [] : ['alice can write it']),
    ...(readable === undefined ? [] : ['alice can read it']),
    ...(untried === undefined ? [] : [`(${untried})`]),
  ];
  return tried.join(', ');
}

/** Seeds in the order in which they are seeded: each alone, or with those that are seeded at the same time. */
export function seededTogether(seeds: readonly Seed[]): readonly (readonly Seed[])[] {
  return [...Map.groupBy(seeds, ({ what, together }) => together ?? `alone: ${what}`).values()];
}
