/** Checks that the doors can read the configuration: the service as its system user, and the gate as each user. Root can read a file of any mode. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf, NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { DEFAULT_CONFIG_FILE, readConfig } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { SERVICE_USER, userByName } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';

export const CONFIGURATION = 'configuration';
/** Stands for each user: a member of no group that may read the file. */
export const ANYBODY = 'nobody';
const READ_BY_ALL = 0o004;
const ENTER_BY_ALL = 0o001;

/**
 * By default the file that the doors read by themselves; another one where a door is started with --config. The caller is root.
 * `gate`: whether the gate is in use, which users run as themselves. `readers`: the users as whom the doors read it.
 */
export async function examineConfiguration(
  { gate }: { readonly gate: boolean },
  file = DEFAULT_CONFIG_FILE,
  readers: readonly string[] = [SERVICE_USER, ANYBODY],
): Promise<Finding> {
  for (const name of readers) {
    const wrong = await errorOf(name, file);
    if (wrong === undefined) continue;
    const atDoors = name !== ANYBODY || gate;
    const who = name === ANYBODY ? 'A user' : name === SERVICE_USER ? 'The service' : 'The PAM door';
    return {
      id: CONFIGURATION,
      severity: atDoors ? 'fail' : 'warn',
      title: `${who} cannot read the configuration${atDoors ? ', so every login is refused' : ''}`,
      detail: `as ${name}: ${messageOf(wrong)}`,
      fix: fixFor(file, wrong),
    };
  }
  return ok(CONFIGURATION, 'The service and the users can read the configuration', fs.existsSync(file) ? file : `no ${file}`);
}

/** Undefined if that user can read it, or does not exist. */
async function errorOf(name: string, file: string): Promise<unknown> {
  const user = userByName(name);
  if (user === undefined) return undefined;
  return await asUser(user, () => {
    try {
      readConfig(file === DEFAULT_CONFIG_FILE ? undefined : file);
      return undefined;
    } catch (error) {
      return error;
    }
  });
}

function fixFor(file: string, wrong: unknown): string {
  if (file !== DEFAULT_CONFIG_FILE && !fs.existsSync(file))
    return shellCommand`write ${file}, or remove --config from the line that names it`;
  const folder = path.dirname(file);
  const closed = ((fs.statSync(folder, { throwIfNoEntry: false })?.mode ?? ENTER_BY_ALL) & ENTER_BY_ALL) === 0;
  const unread = ((fs.statSync(file, { throwIfNoEntry: false })?.mode ?? READ_BY_ALL) & READ_BY_ALL) === 0;
  const fixes = [...(closed ? [shellCommand`chmod 755 ${folder}`] : []), ...(unread ? [shellCommand`chmod 644 ${file}`] : [])];
  if (fixes.length > 0) return fixes.join(' && ');
  return (wrong instanceof NotpError ? wrong.hint : undefined) ?? shellCommand`namei -l ${file} shows who may read and enter what`;
}
