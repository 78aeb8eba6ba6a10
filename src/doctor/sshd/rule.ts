/** A rule is data, with one small function of the effective configuration. */
import type { Effective } from './effective.ts';
import type { Severity } from '../finding.ts';

export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  /** The title if the rule finds no problem. */
  readonly holds: string;
  readonly fix: string;
  /** Replaces `fix` if the fix depends on the configuration. */
  fixFor?(effective: Effective): string;
  /** The problem, or undefined if there is none. */
  problem(effective: Effective, about: About): string | undefined;
}

/** The PAM service of a connection. From OpenSSH 9.8 on a Match block may name one (PAMServiceName). */
export interface PamOf {
  readonly service: string;
  /** Whether its stack has a line for the code. */
  readonly asks: boolean;
  /** Whether the first pass of its stack asks for another factor than the code. */
  readonly firstPass: boolean;
}

/** Facts beside the effective configuration that a rule may need. */
export interface About {
  /** See opensshVersion(); undefined if unknown. */
  readonly version: number | undefined;
  readonly root: boolean;
  /** The PAM service of a connection. */
  readonly pam: (effective: Effective) => PamOf;
  /** The effective configuration of somebody whom no Match line names, where it is known. */
  readonly anybody?: Effective;
  /** Whether only root can create something at or below a path. */
  readonly isRootsAlone: (file: string) => boolean;
}
