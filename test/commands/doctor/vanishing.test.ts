/** `notp doctor` and `notp setup` while files and accounts come and go, as where packages are upgraded: in a mount namespace with an /etc of its own. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, run, type Ran } from '../../support/process.ts';
import { lacks, scratchFolder, SOURCE_NOTP, writeConfig } from '../../support/world.ts';

const ROUNDS = 2;
/** Deletes and makes these files again and again, some that the host has and many that it does not need, and lists more and fewer accounts. */
const CHURN = `import os, sys
owner = int(sys.argv[1])
has = ['pam.d/sshd', 'pam.d/common-auth', 'pam.d/sudo', 'shells', 'environment', 'sudo.conf', 'shadow']
texts = {name: open(name, 'rb').read() for name in has if os.path.exists(name)}
door = b'auth required pam_exec.so /usr/bin/notp pam\\n'
for i in range(40):
    texts['pam.d/gone%d' % i] = b'@include gone%d\\n' % ((i + 1) % 40) + door if i % 8 else door
    texts['ssh/sshd_config.d/gone%d.conf' % i] = b'# gone\\n'
passwd = open('passwd', 'rb').read()
more = b''.join(b'gone%d:x:%d:100::/home/gone%d:/bin/sh\\n' % (i, 60000 + i, i) for i in range(40))
while os.getppid() == owner:
    for text in [passwd + more, passwd]:
        for name in texts:
            if os.path.exists(name):
                os.unlink(name)
        with open('passwd.new', 'wb') as file:
            file.write(text)
        os.rename('passwd.new', 'passwd')
        for name, its in texts.items():
            with open(name, 'wb') as file:
                file.write(its)
`;
/** Reads as doctor does, for some seconds: a whole run of doctor meets a file that is just gone once in a while only. */
const READ = `const source = (name) => import(process.argv[1] + '/src/doctor/' + name);
const { modulesInFiles, servicesWithNotp } = await source('pam/stack.ts');
const { readSshdFiles } = await source('sshd/files.ts');
const { examineReadByRoot } = await source('host/read-by-root.ts');
let times = 0;
for (const end = Date.now() + 3000; Date.now() < end; times++) {
  servicesWithNotp();
  modulesInFiles();
  const { files } = readSshdFiles('/etc/ssh/sshd_config');
  for (const { severity, detail } of examineReadByRoot(files, ['sshd', 'sudo', 'gone1'])) if (severity !== 'ok') throw new Error(detail);
}
console.log(times);`;
/** Ends with the last of the commands that it was given, each of which is one word for sh. */
const INSIDE = `set -eu
mount -t tmpfs none "$1"
# Other tests make and delete files there.
cp -a /etc/. "$1/" 2>/dev/null || :
mount --bind "$1" /etc
cd /etc
mkdir -p ssh/sshd_config.d
printf 'Include /etc/ssh/sshd_config.d/*.conf\\nHostKey %s\\n' "$2" >ssh/sshd_config
python3 -c "$3" $$ &
shift 3
"$@"
`;

describe(
  'notp where files and accounts come and go',
  { skip: lacks({ root: true, programs: ['unshare', 'python3', 'sshd', 'ssh-keygen'] }) },
  () => {
    let folder: string;
    let config: string;
    const inside = async (...words: readonly string[]): Promise<Ran> => {
      const command = ['unshare', '--mount', 'sh', '-c', INSIDE, 'sh', path.join(folder, 'etc'), path.join(folder, 'host'), CHURN];
      return await run([...command, ...words], { timeoutMs: 120_000 });
    };
    const among = async (...words: readonly string[]): Promise<Ran> => await inside(...SOURCE_NOTP, ...words, '--config', config);

    before(() => {
      folder = scratchFolder('vanishing');
      config = writeConfig(folder);
      fs.mkdirSync(path.join(folder, 'etc'));
      fs.mkdirSync('/run/sshd', { recursive: true });
    });

    it('what doctor reads is read again and again: it ended with ENOENT', async () => {
      const { code, stdout, stderr } = await inside(process.execPath, '--input-type=module', '--eval', READ, '--', ROOT);
      assert.equal(stderr, '');
      assert.ok(code === 0 && Number(stdout) > 1, stdout);
    });

    it('doctor goes on: it ended with ENOENT', async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { code, stdout, stderr } = await among('doctor', '--json', '--sshd-config', '/etc/ssh/sshd_config');
        assert.equal(stderr, '');
        assert.ok(code === 0 || code === 1, `${String(code)} ${stdout}`);
        assert.ok(stdout.split('\n').length > 10, stdout);
      }
    });

    it('setup shows what it would write, or says what is missing', async () => {
      for (const door of ['pam', 'sudo', 'gate']) {
        const { code, stderr } = await among('setup', door);
        assert.ok(code === 0 || code === 1, stderr);
        assert.doesNotMatch(stderr, /ENOENT/);
      }
    });
  },
);
