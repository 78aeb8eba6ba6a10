/** PAM services for a test: files in /etc/pam.d under names of their own, gone at the end. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from '../../support/cleanup.ts';
import { haveHost } from '../../support/host-lock.ts';
import { ROOT } from '../../support/process.ts';

export function exampleStack(name: string): string {
  return fs.readFileSync(path.join(ROOT, 'examples/pam.d', name), 'utf8');
}

/** Makes a PAM service, and gives its name. Doctor looks at all there are. */
export function pamService(stack: string, suffix = ''): string {
  haveHost('alone');
  const name = `notp-test-${randomBytes(4).toString('hex')}${suffix}`;
  const file = path.join('/etc/pam.d', name);
  fs.writeFileSync(file, stack, { mode: 0o644 });
  atEnd(() => {
    fs.rmSync(file, { force: true });
  });
  return name;
}

/** Gives a PAM service other lines. */
export function rewriteService(name: string, lines: readonly string[]): void {
  fs.writeFileSync(path.join('/etc/pam.d', name), `${lines.join('\n')}\n`);
}
