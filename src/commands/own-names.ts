/** The names that a secret of one's own may get. */
import { openEnrolments } from '../enrolment/open.ts';
import type { Own } from '../enrolment/own-secrets.ts';
import { NotpError } from '../error.ts';
import { SECRET_EXPOSED } from '../otp/names.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, sealedPath, type Found } from '../system/secrets.ts';

/** Refuses a name that looks like a secret, and does not repeat it. */
export function refuseSecretAsName(context: string): void {
  if (!/^[A-Z2-7]{16,}$/.test(context)) return;
  throw new NotpError(
    'usage',
    'the name for the secret looks like the secret itself, which never goes on the command line',
    SECRET_EXPOSED,
  );
}

/**
 * Refuses a name that a login has: a secret in its place would look like an enrolment, but no login would accept it. Gives what is
 * there now. `what`: the end of the hint, "import it".
 */
export async function refuseLoginName(own: Own, context: string, what: string): Promise<Found> {
  const { config, user } = own;
  if (config.contexts.includes(context))
    throw new NotpError(
      'usage',
      `${context} is the context of logins here`,
      `${what} under another name; notp enroll makes a secret for logins`,
    );
  const found = await asUser(user, () => findSealed(config, user, context));
  const enrolments = openEnrolments(own);
  if ((found.kind === 'sealed' && (await enrolments.isLogin(found.file))) || (await enrolments.isLoginContext(context)))
    throw new NotpError(
      'refused',
      `${sealedPath(config, user, context)} is a login of this host`,
      `${what} under another name; nothing was changed`,
    );
  return found;
}
