/** A home of somebody else, who leads root from there to where they like. */
import * as fs from 'node:fs';
import * as path from 'node:path';

const SOMEBODY = 12_345;

/** In `folder`: `home` of somebody, with a symlink `link` to `aim`, which is root's; and beside them their symlink `theirs`. */
export function steered(folder: string): { readonly home: string; readonly aim: string } {
  const [home, aim] = [path.join(folder, 'home'), path.join(folder, 'aim')];
  for (const each of [home, aim]) fs.mkdirSync(each, { mode: 0o755 });
  for (const link of [path.join(home, 'link'), path.join(folder, 'theirs')]) {
    fs.symlinkSync(aim, link);
    fs.lchownSync(link, SOMEBODY, SOMEBODY);
  }
  fs.chownSync(home, SOMEBODY, SOMEBODY);
  return { home, aim };
}
