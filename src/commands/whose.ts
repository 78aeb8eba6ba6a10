/** Whose login a command is about. */
import { NotpError } from '../error.ts';
import { isRoot, realUid, realUser, userByName, type User } from '../system/users.ts';

/** The user called `name`, or oneself. Throws `usage` where there is none, `not_permitted` where it is somebody else and we are not root. */
export function userNamed(name: string | undefined, { onlyRoot, hint }: { onlyRoot: string; hint: (user: User) => string }): User {
  const self = realUser();
  const user = name === undefined || name === self.name ? self : userByName(name);
  if (user === undefined) throw new NotpError('usage', `there is no user ${JSON.stringify(name)}`, 'getent passwd lists those there are');
  if (user.uid !== realUid() && !isRoot()) throw new NotpError('not_permitted', `only root can ${onlyRoot}`, hint(user));
  return user;
}
