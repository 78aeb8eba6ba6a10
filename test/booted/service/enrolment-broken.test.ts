/** An enrolment through the service that is cut off anywhere leaves a login that works: the old one or the new one. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, phoneOf, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

/**
 * An enrolment by hand over the own socket: begins with the recovery code that is given, confirms, writes the file or not,
 * and goes away without saying so. Prints the secret.
 */
const CUT_OFF = `import hmac, base64, json, os, socket, struct, sys, time
uid, recovery, steps = sys.argv[1:]
s = socket.socket(socket.AF_UNIX); s.connect("/run/notp/%s.sock" % uid); f = s.makefile("rw")
def ask(step, **more):
    f.write(json.dumps({"notp": "enrol/1", "step": step, **more}, separators=(",", ":")) + "\\n"); f.flush()
    return json.loads(f.readline())
name = os.path.expanduser("~/.notp/ssh")
sealed = open(name).read()
reading = {"passphrase": None, "kind": "recovery", "codes": [recovery.replace("-", "")]}
offer = ask("begin", context="ssh", replace=True, algorithm="SHA1", digits=6, period=30, issuer="x", account="y", recovery=0,
            sealed=sealed, wrong="", readings=[reading])
print(offer["secret"])
key = base64.b32decode(offer["secret"] + "=" * (-len(offer["secret"]) % 8))
mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
at = mac[-1] & 15
code = "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000)
answer = ask("confirm", code=code)
if "rename" in steps:
    open(name + ".new", "w").write(answer["file"]); os.chmod(name + ".new", 0o600); os.rename(name + ".new", name)
if "abandon" in steps: print(ask("abandon")["notp"])
if "complete" in steps: print(ask("complete")["notp"])
`;

describe('an enrolment that is cut off', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let old: Phone;

  before(async () => {
    world = await bootService('cut-off');
    alice = await world.addUser('alice');
    old = await world.enroll(alice, ['--recovery', '20']);
  });

  const logsIn = async (proof: string): Promise<boolean> => (await world.login(alice, proof)).stdout === 'alice\n';

  async function cutOff(steps: string): Promise<[Phone, string[]]> {
    const command = ['python3', '-c', CUT_OFF, String(alice.uid), old.recoveryCode(), steps];
    const [secret = '', ...said] = (await world.container.must(command, { as: 'alice' })).trim().split('\n');
    return [phoneOf({ id: '', secret, uri: '', file: '', recovery: [] }), said];
  }

  it('after the confirmation and before the rename leaves the old one', async () => {
    const [next] = await cutOff('');
    assert.equal(await logsIn(await next.code()), false);
    assert.equal(await logsIn(old.recoveryCode()), true);
  });

  it('and was abandoned is worth nothing, even with its file in place', async () => {
    const [next, said] = await cutOff('abandon, rename');
    assert.deepEqual(said, ['done/1']);
    // The new file is in place all the same.
    const ran = await world.login(alice, await next.code());
    assert.equal((await world.recordOf(ran))?.reason, 'stale_enrolment');
  });

  it('after the rename leaves the new one, which its first login completes, and the old file is stale then', async () => {
    old = await world.enroll(alice, ['--replace', '--recovery', '20']);
    await world.container.must(['cp', '.notp/ssh', 'old'], { as: 'alice' });
    const [next] = await cutOff('rename');
    assert.equal(await logsIn(await next.code()), true);
    await world.container.must(['cp', 'old', '.notp/ssh'], { as: 'alice' });
    const ran = await world.login(alice, old.recoveryCode());
    assert.equal((await world.recordOf(ran))?.reason, 'stale_enrolment');
  });
});
