/** What the tests of doctor's rules share: configurations that a real sshd reads, and what doctor finds in them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { Person } from '../../../src/doctor/people.ts';
import { examineServer, type SshdReport } from '../../../src/doctor/sshd/sshd.ts';
import { userByName } from '../../../src/system/users.ts';
import { ROOT } from '../../support/process.ts';
import { lacks, must, scratchFolder } from '../../support/world.ts';

export const SSHD = '/usr/sbin/sshd';
export const NEEDS = lacks({ root: true, programs: ['sshd', 'ssh-keygen'] });

export interface SshdWorld {
  readonly folder: string;
  /** Writes a configuration: `lines` before those of the example `base`, as the first value wins. */
  write(lines: readonly string[], base?: 'gate' | 'pam'): string;
  /** What doctor says about it for `names`; `pamService` as sshd would be called. */
  examine(file: string, options?: { names?: readonly string[]; pamService?: string; program?: string }): Promise<SshdReport>;
}

/** The recommended drop-in. Its lines before any Match line stand for everybody. */
export function example(base: 'gate' | 'pam'): string {
  return fs.readFileSync(path.join(ROOT, `examples/sshd_config.d/10-notp-${base}.conf`), 'utf8');
}

export function sshdWorld(): SshdWorld {
  const folder = scratchFolder('doctor');
  fs.mkdirSync('/run/sshd', { recursive: true });
  must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
  let written = 0;
  return {
    folder,
    write: (lines, base) => {
      const file = path.join(folder, `sshd_config_${String(written++)}`);
      const own = base === undefined ? '' : example(base);
      fs.writeFileSync(
        file,
        `HostKey ${folder}/host\n${lines.filter((line) => !line.startsWith('>')).join('\n')}\n${own}\n${after(lines)}\n`,
      );
      return file;
    },
    examine: async (file, { names = ['root'], pamService = 'notp-test-no-such-service', program = SSHD } = {}) =>
      await examineServer({ program, name: pamService, config: file, options: [] }, names.map(person), {
        expect: () => undefined,
        progress: () => undefined,
      }),
  };
}

/** Lines that begin with ">" stand after those of the example: Match blocks, which go on to the end. */
function after(lines: readonly string[]): string {
  return lines
    .filter((line) => line.startsWith('>'))
    .map((line) => line.slice(1))
    .join('\n');
}

function person(name: string): Person {
  const user = userByName(name) ?? { name, uid: 4_000_000, gid: 4_000_000, home: '/nonexistent', shell: '/bin/sh' };
  return { user, enrolments: [] };
}

/** Ids and users of what is not in order: `FC3 alice`, or `FC3` for the host. */
export function wrong(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity !== 'ok').map(({ id, user }) => (user === undefined ? id : `${id} ${user}`));
}

export function detailOf(findings: readonly Finding[], id: string): string {
  return findings
    .filter((finding) => finding.id === id)
    .map(({ detail }) => detail)
    .join('\n');
}
