/** A pipe at stdin is read as far as the reader wants, whenever its bytes come, and stays as it was for the next program. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from '../support/process.ts';
import { lacks } from '../support/world.ts';

const BYTES = path.join(ROOT, 'src/system/bytes.ts');
/** Reads one line within `timeoutMs`, and says how the reading ended. */
const reading = (timeoutMs: number): string =>
  `import { onEndingSignals, readStdin } from ${JSON.stringify(BYTES)};
   const bytes = [];
   const read = (byte) => (byte === 10 ? 'done' : (bytes.push(byte), 'more'));
   const ended = await readStdin(read, { deadlineMs: Date.now() + ${String(timeoutMs)}, interrupt: onEndingSignals() });
   process.stdout.write(ended + ' ' + Buffer.from(bytes) + ';');
   process.exit(0);`;

/** What `reading`, and then cat(1), find in the pipe that the shell command `writer` fills. */
async function found(writer: string, { timeoutMs = 60_000, as = '' }: { timeoutMs?: number; as?: string } = {}): Promise<string> {
  const reader = `${as} "$0" --input-type=module -e "$1"`;
  const { code, stdout, stderr } = await run(['sh', '-c', `{ ${writer}; } | { ${reader}; cat; }`, process.execPath, reading(timeoutMs)]);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('a pipe at stdin', () => {
  it('is read to its end, or to the end of a line, where all of it is there', async () => {
    assert.equal(await found('printf 123456'), 'eof 123456;');
    assert.equal(await found('printf "123456\\nfor the next"'), 'done 123456;for the next');
    assert.equal(await found(':'), 'eof ;');
  });

  it('is waited for, and blocks for the next program, which may wait too', async () => {
    assert.equal(
      await found('printf 123; sleep 1; printf 456; sleep 1; printf "\\nfor the "; sleep 1; printf next'),
      'done 123456;for the next',
    );
  });

  it('is given up at the deadline, with what has come by then', async () => {
    assert.equal(await found('printf 123; sleep 3', { timeoutMs: 500 }), 'timeout 123;');
  });

  it('can be of another user', { skip: lacks({ root: true, programs: ['setpriv'] }) }, async () => {
    const as = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
    assert.equal(await found('printf "123456\\nfor the next"', { as }), 'done 123456;for the next');
  });
});
