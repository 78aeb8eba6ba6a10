/** Rule FC17: runs the gate without a code, as a user who never has one. It must refuse. */
import { spawnSync } from 'node:child_process';
import { userByName } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';

/** A user who is never enrolled, so that no enrolment changes and no guess budget is used. */
const NOBODY = 'nobody';
const TIMEOUT_MS = 30_000;
const REFUSED = 1;

/** `command`: the ForceCommand, without anything that a shell would interpret (see gate-command.ts). The caller is root. */
export function tryGate(command: string): Finding {
  const [program = '', ...words] = command.split(' ');
  const nobody = userByName(NOBODY);
  const id = 'FC17';
  if (nobody === undefined) return { id, severity: 'info', title: 'The gate was not tried', detail: `there is no user ${NOBODY}`, fix: '' };
  const env = { PATH: '/usr/bin:/bin', HOME: '/', SSH_ORIGINAL_COMMAND: 'true' };
  const { status, signal, stderr, error } = spawnSync(program, words, {
    uid: nobody.uid,
    gid: nobody.gid,
    env,
    cwd: '/',
    input: '',
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (status === REFUSED) return ok(id, 'The gate refuses a user without a code', command);
  if (status === 0)
    return {
      id,
      severity: 'fail',
      title: 'The gate lets somebody in without a code',
      detail: `${command}, as ${NOBODY}, ended with 0`,
      fix: 'change the rule in notp.toml that lets everybody in: notp rules',
    };
  const why = error?.message ?? stderr.trim().split('\n')[0] ?? '';
  return {
    id,
    severity: 'fail',
    title: 'The gate does not run, so nobody gets in',
    detail: `${command} ended with ${String(status ?? signal)}: ${why}`,
    fix: 'install notp again',
  };
}
