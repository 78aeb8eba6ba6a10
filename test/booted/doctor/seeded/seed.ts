/** A misconfiguration as administrators make them: how it is seeded on a booted host, what doctor says, and the fix that makes that go away. */

export interface Seed {
  /** For the table: what is wrong. */
  readonly what: string;
  /** Run by sh as root on a host that is in order; see PRELUDE for its functions. */
  readonly script: string;
  /** The id of the finding. */
  readonly id: string;
  /** Part of the fix that doctor prints. */
  readonly fix: string;
  /**
   * How the fix is applied. `run`: as a command, as it is printed. `line`: as lines of sshd_config before all others. `block`: as lines of the
   * seeded Match block. Anything else is a script that does what the fix says in words.
   */
  readonly how: 'run' | 'line' | 'block' | (string & {});
  /** Puts back what the fix leaves and what is not below /etc. */
  readonly clean?: string;
  /** Whose key alone logs in before the fix, and not after it. */
  readonly letsIn?: string;
  /** Of another server than the one with the door, where letsIn is about that. It is no failure: notp was not asked to guard it. */
  readonly port?: number;
  /** Who becomes root by sudo without a code before the fix, and not after it. */
  readonly sudoer?: string;
  /** Whose right code is refused before the fix, and logs in after it. */
  readonly keepsOut?: string;
  /** Ids of what doctor rightly goes on telling after the fix. */
  readonly leaves?: readonly string[];
}

/** Shell functions for seeds. */
export const PRELUDE = `umask 022
reload() { systemctl reload ssh; sleep 0.4; }
# Lines of sshd_config before those of notp.
sshd() { printf '%s\\n' "$@" >/etc/ssh/sshd_config.d/05-seed.conf; reload; }
unsshd() { rm -f /etc/ssh/sshd_config.d/05-seed.conf; reload; }
dropin() { mkdir -p "/etc/systemd/system/$1.d"; printf '[%s]\\n%s\\n' "$2" "$3" >"/etc/systemd/system/$1.d/seed.conf"; systemctl daemon-reload; }
undropin() { rm -r "/etc/systemd/system/$1.d"; systemctl daemon-reload; }
stop() { systemctl stop 'notp@*.service'; }
`;

/** A line of sshd_config that a line before it mends. */
export function line(what: string, lines: readonly string[], id: string, fix: string, more: Partial<Seed> = {}): Seed {
  return { what, script: `sshd ${lines.map((each) => `'${each}'`).join(' ')}`, id, fix, how: 'line', ...more };
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
  const keys = 'cp /home/carol/.ssh/authorized_keys /root/.ssh/';
  const all = gone('root, who is not enrolled, gets in from a network alone', inside, id, fix, {
    letsIn: 'root',
    clean: 'rm /root/.ssh/authorized_keys',
  });
  return { ...all, script: `${keys}; ${all.script}` };
}

/** A file or folder of somebody else, or that others can write. */
export function owned(file: string, id = 'read-by-root'): Seed[] {
  return [
    { what: `${file} belongs to a user`, script: `chown alice ${file}`, id, fix: 'chown -h root', how: 'run' },
    { what: `${file} can be written by all`, script: `chmod o+w ${file}`, id, fix: 'chmod go-w', how: 'run' },
  ];
}

/** A rule that asks for no code where a device with the key is touched, of which sshd requires nothing. */
export function touchless(what: string, script = '', clean = ''): Seed {
  const rule = '[[rule]]\\nask = "nothing"\\nkeys = ["sk-*"]\\nreason = "seed"\\n';
  return {
    ...{ what, script: `printf '${rule}' >/etc/notp/notp.toml; stop; ${script}`, clean, leaves: ['rules', 'let-in'] },
    ...{ id: 'touch', fix: 'PubkeyAuthOptions touch-required', how: 'line' },
  };
}
