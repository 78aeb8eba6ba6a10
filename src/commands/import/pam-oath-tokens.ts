/** Assigns the tokens of a users file to logins: a user's first token to the first context, the second to the second. Pure. */
import type { PamOathToken } from '../../otp/pam-oath.ts';
import type { User } from '../../system/users.ts';

/** A token with its user and context, or why it has none. */
export type Placed =
  | { readonly token: PamOathToken; readonly user: User; readonly context: string }
  | { readonly token: PamOathToken; readonly ended: 'skipped' | 'failed'; readonly why: string };

/** The tokens in the order of the file. `users`: the existing users, by name. `contexts`: the contexts that log in. */
export function placed(tokens: readonly PamOathToken[], users: ReadonlyMap<string, User>, contexts: readonly string[]): Placed[] {
  const counts = new Map<string, number>();
  return tokens.map((token) => {
    const user = users.get(token.user);
    if (user === undefined) return { token, ended: 'failed', why: 'there is no such user' };
    const count = counts.get(user.name) ?? 0;
    counts.set(user.name, count + 1);
    const context = contexts[count];
    return context === undefined ? { token, ended: 'skipped', why: tooMany(count + 1, contexts) } : { token, user, context };
  });
}

function tooMany(count: number, contexts: readonly string[]): string {
  const [first = ''] = contexts;
  const wanted = Array.from({ length: count }, (_, i) => contexts[i] ?? `${first}-${String(i + 1)}`);
  const names = wanted.map((name) => `"${name}"`).join(', ');
  return `it is token ${String(count)} of this user, and notp.toml has no context for it: context = [${names}]`;
}
