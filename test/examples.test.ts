/** The shipped examples are true: the configuration is the defaults, sshd takes the drop-ins, the PAM stacks name what is there. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { defaultConfig, parseConfig } from '../src/system/config.ts';
import { SETTINGS } from '../src/system/settings.ts';
import { ROOT, run, type Ran } from './support/process.ts';
import { lacks, must, scratchFolder } from './support/world.ts';

const EXAMPLES = path.join(ROOT, 'examples');
const MODULE_FOLDERS = fs.globSync(['/usr/lib/*/security', '/usr/lib{,64}/security', '/lib/security']);

function example(name: string): string {
  return fs.readFileSync(path.join(EXAMPLES, name), 'utf8');
}

describe('examples/notp.toml', () => {
  const source = example('notp.toml');

  it('says what holds without a file', () => {
    assert.deepEqual(parseConfig(source, 'notp.toml'), defaultConfig());
  });

  for (const table of ['', 'code', 'policy', 'gate', 'store', 'fleet', 'audit']) {
    it(`shows every setting of ${table === '' ? 'the top' : `[${table}]`}`, () => {
      assert.deepEqual(keysIn(source, table), knownKeys(table));
    });
  }
});

describe('examples/sshd_config.d', { skip: lacks({ root: true, programs: ['sshd', 'ssh-keygen'] }) }, () => {
  let folder: string;
  before(() => {
    folder = scratchFolder('examples');
    fs.mkdirSync('/run/sshd', { recursive: true });
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
  });

  /** What sshd makes of `text`, between the Include and the rest of the file that Debian ships, for `user`. */
  async function effective(text: string, user: string): Promise<Ran> {
    fs.writeFileSync(path.join(folder, '10-notp.conf'), text);
    const main = `Include ${folder}/10-notp.conf\nHostKey ${folder}/host\nKbdInteractiveAuthentication no\nX11Forwarding yes\nAcceptEnv LANG LC_*\n`;
    fs.writeFileSync(path.join(folder, 'sshd_config'), main);
    const checked = await run(['/usr/sbin/sshd', '-t', '-f', path.join(folder, 'sshd_config')]);
    assert.deepEqual({ code: checked.code, stderr: checked.stderr }, { code: 0, stderr: '' });
    const client = `user=${user},host=client,addr=192.0.2.1`;
    return await run(['/usr/sbin/sshd', '-T', '-f', path.join(folder, 'sshd_config'), '-C', client]);
  }

  it('forces the gate on everybody and closes what goes around it', async () => {
    const { stdout } = await effective(example('sshd_config.d/10-notp-gate.conf'), 'nobody');
    const wanted = ['forcecommand /usr/bin/notp gate', 'disableforwarding yes', 'allowagentforwarding no', 'x11forwarding no'];
    for (const line of [...wanted, 'permituserenvironment no', 'permituserrc no', 'exposeauthinfo yes', 'setenv BASH_ENV=']) {
      assert.match(stdout.toLowerCase(), new RegExp(`^${line.toLowerCase()}$`, 'm'));
    }
  });

  it('forces the gate on one group alone where its Match line is uncommented, and on nobody by what follows the Include', async () => {
    const text = example('sshd_config.d/10-notp-gate.conf').replace('#Match Group notp-gate', 'Match Group nogroup');
    assert.match((await effective(text, 'nobody')).stdout, /^forcecommand \/usr\/bin\/notp gate$/im);
    const others = (await effective(text, 'root')).stdout;
    assert.match(others, /^forcecommand none$/im);
    assert.match(others, /^x11forwarding yes$/im);
  });

  it('asks for a code after the key and after the password at the PAM door', async () => {
    const { stdout } = await effective(example('sshd_config.d/10-notp-pam.conf'), 'nobody');
    const methods = 'publickey,keyboard-interactive:pam keyboard-interactive:pam,keyboard-interactive:pam';
    assert.match(stdout, new RegExp(`^authenticationmethods ${methods}$`, 'im'));
    assert.match(stdout, /^passwordauthentication no$/im);
    assert.match(stdout, /^kbdinteractiveauthentication yes$/im);
  });
});

describe('examples/pam.d', { skip: lacks({ programs: ['pamtester'] }) }, () => {
  for (const name of ['sshd-notp', 'sudo-notp']) {
    const lines = example(`pam.d/${name}`)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));

    it(`${name} names only modules and stacks that are there`, () => {
      const modules = lines.flatMap((line) => /\s(pam_\w+\.so)/.exec(line)?.[1] ?? []);
      const stacks = lines.flatMap((line) => /(?:^@include|\ssubstack)\s+(\S+)/.exec(line)?.[1] ?? []);
      assert.equal(modules.length + stacks.length, lines.length);
      for (const module of modules) assert.ok(isThere(MODULE_FOLDERS, module), module);
      for (const stack of stacks) assert.ok(isThere(['/etc/pam.d'], stack), stack);
    });
  }

  it('sshd-notp jumps from the first pass over exactly the code to the password', () => {
    const auth = example('pam.d/sshd-notp').match(/^auth\s.*/gm) ?? [];
    assert.match(auth[0] ?? '', /success=3 .*\[case "\$SSH_AUTH_INFO_0" in .* esac\]$/);
    assert.match(auth[1 + 3] ?? '', /substack\s+common-auth$/);
    assert.equal(auth.length, 5);
  });
});

function isThere(folders: readonly string[], name: string): boolean {
  return folders.some((folder) => fs.existsSync(path.join(folder, name)));
}

function keysIn(source: string, table: string): string[] {
  const sections = source.split(/^\[(\w+)\]$/m);
  const body = table === '' ? (sections[0] ?? '') : (sections[sections.indexOf(table) + 1] ?? '');
  return [...body.matchAll(/^(\w+) =/gm)].map(([, key]) => key ?? '').toSorted();
}

function knownKeys(table: string): string[] {
  return Object.values(SETTINGS)
    .filter((setting) => setting.table === table)
    .map(({ key }) => key)
    .toSorted();
}
