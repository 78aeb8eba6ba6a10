/** What a rule is: data, and one small function of the effective configuration. */
import type { Effective } from './effective.ts';
import type { Severity } from '../finding.ts';

export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  /** What is true where it finds nothing. */
  readonly holds: string;
  readonly fix: string;
  /** In place of `fix`, where it depends on what is wrong. */
  fixFor?(effective: Effective): string;
  /** What is wrong, or undefined where nothing is. `version`: see opensshVersion; undefined where it is not known. */
  problem(effective: Effective, about: About): string | undefined;
}

export interface About {
  readonly version: number | undefined;
  readonly root: boolean;
  /** Whether the first pass of the PAM stack is for another factor than the code. */
  readonly firstPass: boolean;
  /** Whether only root can put something at or below a path. */
  readonly isRootsAlone: (file: string) => boolean;
}
