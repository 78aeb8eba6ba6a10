/** What the client, or files that somebody has planted in the home, would have run before the gate asks. */
import { ANY_VARIABLE, FISH, PLAIN, SWITCHES, TCSH, type Attack } from './attack.ts';

/** Code in a variable alone: nothing is needed on the host. */
const RUN = '$(touch $effect)';
const NODE_CODE = '--import=data:text/javascript,(await%20import(%22fs%22)).writeFileSync(%22$effect%22,%22%22)';
/** A library of glibc that writes where a variable says. */
const PRELOAD = { LD_PRELOAD: 'libpcprofile.so', PCPROFILE_OUTPUT: '$effect' };
const TRACE = { SHELLOPTS: 'xtrace', PS4: RUN };

/** A login with variables that the client sends, for a command that is not run where the gate is forced. */
function sending(variables: Readonly<Record<string, string>>, command = 'true'): string {
  const given = Object.entries(variables).map(([name, value]) => `${name}="${value}"`);
  return `ssh -o 'SetEnv=${given.join(' ').replaceAll('$effect', `'"$effect"'`)}' victim ${command} 2>/dev/null </dev/null; [ -e $effect ]`;
}

/** A login after the file `name` in the home was made to hold `lines`. */
function planted(name: string, lines: string): string {
  return `plant ${name} '${lines.replaceAll(/\$(effect|home)/g, `'"$&"'`)}'; ssh victim true 2>/dev/null </dev/null; [ -e $effect ]`;
}

/** As pam_env.conf(5) has it. */
function pamEnvironment(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name} DEFAULT="${value.replaceAll('$(', String.raw`\$(`)}"`);
  return planted('.pam_environment', lines.join('\n'));
}

/** A login after `shell` has become the user's shell. */
function withShell(shell: string): string {
  return `usermod --shell /usr/bin/${shell} alice && ssh victim true 2>/dev/null </dev/null; usermod --shell /bin/bash alice; [ -e $effect ]`;
}

const CLIENT_SENDS = { situation: ANY_VARIABLE, defaults: 'open', setup: 'closed', doctor: ['FC8'] } as const;
const SHELL_READS = { situation: PLAIN, defaults: 'open', setup: 'closed', doctor: ['FC9'] } as const;

export const BEFORE_GATE: readonly Attack[] = [
  {
    id: 'send-node',
    tries: 'The client sends `NODE_OPTIONS`, with `AcceptEnv *`',
    ...CLIENT_SENDS,
    defaults: 'closed',
    script: sending({ NODE_OPTIONS: NODE_CODE }, "'node -e 0'"),
  },
  { id: 'send-preload', tries: 'The client sends `LD_PRELOAD`, with `AcceptEnv *`', ...CLIENT_SENDS, script: sending(PRELOAD) },
  {
    id: 'send-bash-env',
    tries: 'The client sends `BASH_ENV`, with `AcceptEnv *`',
    ...CLIENT_SENDS,
    script: sending({ BASH_ENV: RUN, SHLVL: '3' }),
  },
  {
    id: 'send-trace',
    tries: 'The client has bash trace what it does (`SHELLOPTS`, `PS4`), with `AcceptEnv *`',
    ...CLIENT_SENDS,
    script: sending(TRACE),
  },
  {
    id: 'user-environment',
    tries: '`~/.ssh/environment`, with `PermitUserEnvironment yes`',
    situation: SWITCHES,
    script: planted(
      '.ssh/environment',
      Object.entries(PRELOAD)
        .map((pair) => pair.join('='))
        .join('\n'),
    ),
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC7'],
  },
  {
    id: 'pam-environment',
    tries: '`~/.pam_environment`, which the PAM stack of Debian 12 reads',
    situation: PLAIN,
    script: pamEnvironment(PRELOAD),
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC9', 'FC12'],
  },
  {
    id: 'pam-environment-trace',
    tries: 'The same with `SHELLOPTS` and `PS4`',
    situation: PLAIN,
    script: pamEnvironment(TRACE),
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC9', 'FC12'],
  },
  {
    id: 'pam-environment-fish',
    tries: 'The same with `XDG_DATA_DIRS`, where the shell is fish',
    situation: FISH,
    script: `plant data/fish/vendor_conf.d/x.fish "touch $effect"; ${pamEnvironment({ XDG_DATA_DIRS: '$home/data' })}`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC12'],
  },
  {
    id: 'user-unit',
    tries: '`~/.config/systemd/user`: a unit that systemd starts with the session',
    situation: PLAIN,
    script: `systemctl stop user@$uid.service; mkdir -p $home/.config/systemd/user/default.target.wants; ln -sf ../x.service $home/.config/systemd/user/default.target.wants/; ${planted('.config/systemd/user/x.service', '[Service]\nExecStart=/usr/bin/touch $effect').replace('[ -e $effect ]', 'appears $effect || appears $effect')}`,
    defaults: 'open',
    setup: 'open',
    doctor: ['FC19'],
  },
  { id: 'bash', tries: '`~/.bashrc`', ...SHELL_READS, script: `plant .bashrc "touch $effect"; ${withShell('bash')}` },
  { id: 'zsh', tries: '`~/.zshenv`', ...SHELL_READS, script: `plant .zshenv "touch $effect"; ${withShell('zsh')}` },
  {
    id: 'fish',
    tries: '`~/.config/fish/config.fish`',
    ...SHELL_READS,
    script: `plant .config/fish/config.fish "touch $effect"; ${withShell('fish')}`,
  },
  {
    id: 'fish-vendor',
    tries: '`~/.local/share/fish/vendor_conf.d`, which fish reads too',
    ...SHELL_READS,
    script: `plant .local/share/fish/vendor_conf.d/x.fish "touch $effect"; ${withShell('fish')}`,
  },
  {
    id: 'tcsh',
    tries: '`~/.tcshrc`',
    situation: TCSH,
    script: planted('.tcshrc', 'touch $effect'),
    defaults: 'open',
    setup: 'open',
    doctor: ['FC11'],
  },
  {
    id: 'rc',
    tries: '`~/.ssh/rc`',
    situation: PLAIN,
    script: planted('.ssh/rc', 'touch $effect'),
    defaults: 'closed',
    setup: 'closed',
    doctor: ['FC10'],
  },
];
