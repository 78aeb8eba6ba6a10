/** The shell commands of a page, as somebody would type them one after the other. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT } from './process.ts';

/** The blocks of shell commands of `page`, those below `heading` alone where it is given. */
export function shellBlocks(page: string, heading?: string): string[] {
  const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
  // A comment in a block is no heading.
  const pieces = text.split(/^(```[a-z]*\n[^]*?^```)$/m);
  let under = '';
  return pieces.flatMap((piece) => {
    const [, block] = /^```sh\n([^]*)```$/.exec(piece) ?? [];
    if (block !== undefined) return heading === undefined || heading === under ? [block] : [];
    if (!piece.startsWith('```')) under = [...piece.matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? under;
    return [];
  });
}

/** The commands of a block, each in one line. `isOther`: the comment above says that it is another way to the same ("or: …"). */
export function commandsOf(block: string): readonly { readonly command: string; readonly isOther: boolean }[] {
  let isOther = false;
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('#')) isOther = line.startsWith('# or');
      const command = line.replace(/\s+# .*$/, '').trim();
      return command === '' || command.startsWith('#') ? [] : [{ command, isOther }];
    });
}
