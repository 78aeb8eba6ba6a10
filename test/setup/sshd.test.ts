/** Setup asks sshd what it would do, as root: it runs none that others can change. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { it } from 'node:test';
import { ROOT, run } from '../support/process.ts';
import { lacks, scratchFolder } from '../support/world.ts';

it(
  'setup runs no sshd that others than root can change',
  { skip: lacks({ root: true, programs: ['sshd', 'unshare', 'mount'] }) },
  async () => {
    const folder = scratchFolder('setup-sshd');
    const program = path.join(folder, 'sshd');
    fs.writeFileSync(program, `#!/bin/sh\ntouch ${folder}/ran\n`);
    fs.chmodSync(program, 0o777);
    const inside = 'mount --bind "$0" /usr/sbin/sshd && exec "$@"';
    for (const call of ["checkSshd('')", "await askSshd(['root'], allVantages([]))"]) {
      const script = `import { checkSshd } from '${ROOT}/src/setup/sshd.ts';
        import { allVantages, askSshd } from '${ROOT}/src/setup/ask-sshd.ts'; ${call}`;
      const words = [process.execPath, '--input-type=module', '--eval', script];
      const { code, stderr } = await run(['unshare', '--mount', 'sh', '-c', inside, program, ...words]);
      assert.notEqual(code, 0);
      assert.match(stderr, /\/usr\/sbin\/sshd is not run: \/usr\/sbin\/sshd can be written by others/);
    }
    assert.equal(fs.existsSync(path.join(folder, 'ran')), false);
  },
);
