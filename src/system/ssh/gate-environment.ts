/**
 * The variables that sshd sets for the gate (SetEnv in sshd_config(5)). They keep the user's shell from reading the user's files
 * before the gate, and the loader and Node.js from obeying the user's variables. The shell after the gate has none of them.
 */

const EMPTY_FOLDER = '/etc/notp/empty';

/** Names and values, in their order. Bash reads no ~/.bashrc at level 2 and above; zsh and fish find nothing in an empty folder. */
export const GATE_ENVIRONMENT: ReadonlyMap<string, string> = new Map([
  ['SHLVL', '1'],
  ['ZDOTDIR', EMPTY_FOLDER],
  ['XDG_CONFIG_HOME', EMPTY_FOLDER],
  ['XDG_DATA_HOME', EMPTY_FOLDER],
  ['LD_PRELOAD', ''],
  ['LD_LIBRARY_PATH', ''],
  ['LD_AUDIT', ''],
  ['NODE_OPTIONS', ''],
  ['NODE_V8_COVERAGE', ''],
  ['BASH_ENV', ''],
  ['ENV', ''],
  ['SHELLOPTS', ''],
]);

/** All on one line, since sshd uses only the first. */
export const SETENV_LINE = `SetEnv ${[...GATE_ENVIRONMENT].map(([name, value]) => `${name}=${value}`).join(' ')}`;

/** Whether a variable was set for the gate, and not by the user. Bash changes two of them itself. */
export function isForGate(name: string, value: string): boolean {
  if (name === 'SHLVL' || name === 'SHELLOPTS') return true;
  return GATE_ENVIRONMENT.has(name) && (value === '' || value === EMPTY_FOLDER);
}
