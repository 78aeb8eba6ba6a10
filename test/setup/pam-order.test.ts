/** What `notp setup sudo` writes, with the real libpam: no code is asked for where the stack itself refuses, whatever its modules are called. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { pamStack } from '../../src/doctor/pam/stack.ts';
import { withBlock } from '../../src/setup/pam-file.ts';
import { pamService, rewriteService } from '../doctor/pam/pam-files.ts';
import { run } from '../support/process.ts';
import { lacks, scratchFolder } from '../support/world.ts';

const EVERYBODY = { users: [], groups: [] };

describe('the lines that notp setup sudo writes', { skip: lacks({ root: true, programs: ['pamtester'] }) }, () => {
  const folder = scratchFolder('pam-order');
  const marker = path.join(folder, 'asked');
  const [stack, below, alone, outer] = [pamService(''), pamService(''), pamService(''), pamService('')];
  rewriteService(alone, [`auth include ${stack}`]);

  /** Asserts it of one stack; gives how it was written, or that it was refused. */
  const holds = async (lines: readonly string[], inner: readonly string[]): Promise<'include' | 'copy' | 'refused'> => {
    rewriteService(below, inner);
    rewriteService(stack, lines);
    let text: string;
    try {
      text =
        withBlock('auth include system-auth\n', {
          door: 'sudo',
          scope: EVERYBODY,
          read: (_name, type) => pamStack(stack, type) ?? [],
          before: false,
        }) ?? '';
    } catch {
      return 'refused';
    }
    const kind = text.includes('# copy of') ? 'copy' : 'include';
    const asks = `auth requisite pam_exec.so quiet /usr/bin/touch ${marker}`;
    const written = text.replace(/^auth +include +system-auth$/m, `auth include ${stack}`).replace(/^auth.*--prompt-tty$/m, asks);
    rewriteService(outer, [written]);
    const before = await opens(alone);
    fs.rmSync(marker, { force: true });
    const after = await opens(outer);
    const what = [...lines, '--', ...inner, '->', written].join('\n');
    assert.equal(fs.existsSync(marker), after, `a code is asked for where it opens, and nowhere else\n${what}`);
    if (after || kind === 'include') assert.equal(after, before, what);
    return kind;
  };

  it('asked for a code after a wrong password at modules that notp does not know', async () => {
    for (const answer of ['success', 'auth_err', 'ignore', 'authinfo_unavail'])
      for (const control of ['required', 'requisite', 'optional', 'sufficient', '[success=1 default=ignore]', '[success=ok default=bad]'])
        await holds([`auth ${control} pam_debug.so auth=${answer}`], []);
    // Whom the condition leads past the last lines the stack refuses, for nothing there has said yes.
    const named = 'auth [auth_err=2 success=ignore default=die] pam_succeed_if.so quiet uid >= 1000';
    await holds([named, 'auth requisite pam_permit.so', 'auth optional pam_debug.so auth=success'], []);
  });

  it('follow a stack of any form where it says yes, and nowhere else', async () => {
    const answer = fc.constantFrom('success', 'success', 'auth_err', 'ignore', 'perm_denied', 'user_unknown', 'cred_err');
    const action = fc.constantFrom('ok', 'done', 'bad', 'die', 'ignore', '1', '2', '3');
    const named = fc.tuple(fc.constantFrom('success', 'auth_err', 'ignore', 'perm_denied', 'user_unknown', 'default'), action);
    const brackets = fc.uniqueArray(named, { minLength: 1, maxLength: 4, selector: ([name]) => name });
    const control = fc.oneof(
      fc.constantFrom('required', 'requisite', 'sufficient', 'optional'),
      brackets.map((pairs) => `[${pairs.map((pair) => pair.join('=')).join(' ')}]`),
    );
    const module = fc.oneof(
      { weight: 4, arbitrary: answer.map((says) => `pam_debug.so auth=${says}`) },
      fc.constantFrom('pam_permit.so', 'pam_deny.so', 'pam_succeed_if.so quiet uid >= 1000', 'pam_succeed_if.so quiet uid = 0'),
    );
    const line = fc.tuple(control, module).map(([how, what]) => `auth ${how} ${what}`);
    const last = fc.constantFrom('auth required pam_permit.so', 'auth requisite pam_deny.so', 'auth optional pam_permit.so');
    const way = fc.constantFrom(`auth include ${below}`, `auth substack ${below}`);
    const outerLines = fc.tuple(fc.array(fc.oneof({ weight: 6, arbitrary: line }, way), { minLength: 1, maxLength: 6 }), last);
    const counted = { include: 0, copy: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(outerLines, fc.array(line, { minLength: 1, maxLength: 4 }), async ([lines, end], inner) => {
        counted[await holds([...lines, end], inner)]++;
      }),
      { numRuns: 300 },
    );
    assert.ok(counted.include > 0 && counted.copy > 50, JSON.stringify(counted));
  });
});

async function opens(service: string): Promise<boolean> {
  return (await run(['pamtester', service, 'root', 'authenticate'], { input: '' })).code === 0;
}
