/** `notp setup callers`: lists what would fail without notp, for the packages, which are not removed while there is something. */
import { escapeControls } from '../../otp/escape.ts';
import { callers } from '../../doctor/callers.ts';
import { printResult, sayLine } from '../../terminal/printer.ts';
import { requireRoot } from '../../system/privileges.ts';
import type { Command } from 'commander';
import type { Finish } from '../options.ts';

/** Gives 1 where there are some, as if the removal was refused. */
function listCallers({ json }: { readonly json: boolean }): number {
  requireRoot('read all files of sshd and PAM', 'sudo notp setup callers');
  const found = callers();
  for (const { where, isManaged } of found) {
    const by = isManaged ? ' (pam-auth-update)' : '';
    printResult(json ? JSON.stringify({ where, pam_auth_update: isManaged }) + '\n' : `${escapeControls(where)}${by}\n`);
  }
  if (found.length === 0) sayLine('Neither sshd nor PAM starts notp');
  return found.length === 0 ? 0 : 1;
}

/** Adds `callers`. */
export function addCallers(setup: Command, finish: Finish): void {
  setup
    .command('callers')
    .description('list the files of sshd and PAM that start notp; exit code 1 if there are some')
    .allowExcessArguments(false)
    .option('--json', 'print one JSON object for each file')
    .action(async ({ json }: { readonly json?: boolean }) => {
      finish(listCallers({ json: json === true }));
    });
}
