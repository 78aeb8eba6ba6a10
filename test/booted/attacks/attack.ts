/** What an attack of the suite is: how it is tried, and what is true of it in each of the two configurations. */

/** Whether it got what it wanted. */
export type Outcome = 'open' | 'closed';

/** What is there while it is tried, besides what the host always has. */
export interface Situation {
  /** In a test's title. */
  readonly name: string;
  /** Of sshd_config. */
  readonly lines: readonly string[];
  /**
   * What becomes of it beside what `notp setup gate` writes: that overrules it, setup is refused until the lines are
   * gone, or it stays, and doctor goes on to name it.
   */
  readonly leftover: 'overruled' | 'refused' | 'stays';
  /** Another sshd_config, of a second sshd. */
  readonly second?: readonly string[];
  /** Alice has a second key, which may only say who she is; the attacker has that too. */
  readonly restrictedKey?: true;
  /** Of alice, where it is not bash. */
  readonly shell?: string;
}

export interface Attack {
  readonly id: string;
  /** For the table in docs/attacks.md. */
  readonly tries: string;
  readonly situation: Situation;
  /**
   * Run by bash as the attacker, who has the key; ends with 0 where a real effect is seen. $home and $uid are
   * alice's, and $effect is a file that is not there yet and that only she can make. See prelude.sh for the functions.
   */
  readonly script: string;
  readonly defaults: Outcome;
  readonly setup: Outcome;
  /** The ids under which doctor names the hole. */
  readonly doctor: readonly string[];
}

/** sshd's defaults, and the ForceCommand alone. */
export const PLAIN: Situation = { name: 'a ForceCommand alone', lines: [], leftover: 'overruled' };

export const SWITCHES: Situation = {
  name: 'switches that are on',
  lines: ['X11Forwarding yes', 'PermitTunnel yes', 'StreamLocalBindUnlink yes', 'PermitUserEnvironment yes'],
  leftover: 'overruled',
};
export const ANY_VARIABLE: Situation = { name: 'AcceptEnv *', lines: ['AcceptEnv *'], leftover: 'refused' };
export const LOOPBACK_EXEMPT: Situation = {
  name: 'an exemption for the host itself',
  lines: ['Match Address 127.0.0.1', '  ForceCommand none'],
  leftover: 'refused',
};
export const USER_EXEMPT: Situation = {
  name: 'a Match block that takes the gate away',
  lines: ['Match User alice', '  ForceCommand none'],
  leftover: 'refused',
};
export const SECOND_SSHD: Situation = { name: 'a second sshd', lines: [], leftover: 'stays', second: ['Port 2222', 'UsePAM yes'] };
export const RESTRICTED_KEY: Situation = { name: 'a key that is limited to a command', lines: [], leftover: 'stays', restrictedKey: true };
export const TCSH: Situation = { name: 'tcsh as the login shell', lines: [], leftover: 'stays', shell: '/usr/bin/tcsh' };
export const FISH: Situation = { name: 'fish as the login shell', lines: [], leftover: 'stays', shell: '/usr/bin/fish' };
