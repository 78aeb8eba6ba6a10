/** Writes the completions of all shells beside itself: `npm run completions`, after each change of a command or an option. A test holds them up to date. */
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { programShapes } from './tree.ts';
import { zshCompletion } from './zsh.ts';

/** The files by their names, as the shells look for them. */
export async function completionFiles(): Promise<Readonly<Record<string, string>>> {
  const programs = await programShapes();
  return { 'notp.bash': bashCompletion(programs), _notp: zshCompletion(programs), 'notp.fish': fishCompletion(programs) };
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await completionFiles())) writeFileSync(path.join(import.meta.dirname, name), text);
}
