/** An answer on stdin without a terminal ends with a newline, with a bare CR, or with the input. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from '../support/process.ts';

const CONVERSATION = path.join(ROOT, 'src/terminal/conversation.ts');
const ASKING = `import { openConversation } from ${JSON.stringify(CONVERSATION)};
  const waiting = { deadlineMs: Date.now() + 60_000, interrupt: new AbortController().signal };
  const answer = await openConversation(waiting, undefined).ask('Code: ', { hidden: false });
  process.stdout.write(JSON.stringify(answer) + ';');
  process.exit(0);`;

/** The answer, and then what cat(1) finds, in the pipe that the shell command `writer` fills. */
async function found(writer: string): Promise<string> {
  const script = `{ ${writer}; } | { "$0" --input-type=module -e "$1"; cat; }`;
  const { code, stdout, stderr } = await run(['sh', '-c', script, process.execPath, ASKING]);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('an answer without a terminal', () => {
  it('ends with a bare CR where nothing comes after it: plink sends one for Enter, and the gate waited for ever', async () => {
    assert.equal(await found('printf "123456\\r"; sleep 2; printf "for the next"'), '{"line":"123456"};for the next');
  });

  it('may end with CR and LF, of which the next program gets neither', async () => {
    assert.equal(await found('printf "123456\\r\\nfor the next"'), '{"line":"123456"};for the next');
    assert.equal(await found('printf "123456\\r"'), '{"line":"123456"};');
  });

  it('is no code where a CR is in its middle', async () => {
    assert.equal(await found('printf "123456\\rls\\nfor the next"'), '{"line":""};for the next');
  });
});
