/**
 * `notp host-key rotate` and `retire`: a new key for this host. The key file holds the present key, followed by the
 * earlier keys. So the key changes in one step, and sealed files of the earlier keys still open until the re-seal.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { append, newRef } from '../../audit/audit.ts';
import type { Event } from '../../audit/record.ts';
import { messageOf, NotpError } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { auditKey, hostKeyId, KEY_BYTES } from '../../seal/keys.ts';
import type { Config } from '../../system/config.ts';
import { printResult, say, sayError, sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { stopServices } from '../../system/systemd.ts';
import { draft, removeDrafts, type Draft } from '../../system/trusted.ts';
import { realUser } from '../../system/users.ts';
import { hostSealed, type HostSealed } from '../../enrolment/host-sealed.ts';
import { hasEncryptedKey, keysOf, MAX_HOST_KEYS, readHostKey, type HostKey } from '../../state/host-keys.ts';
import { renewRows } from '../../outage/renewing.ts';
import { refreshAfterChange } from '../store/outage.ts';
import { MAKE_KEY, withPresentState } from '../../state/state.ts';
import { statePlace } from '../../state/place.ts';
import { serviceUser } from './init.ts';
import type { Command } from 'commander';
import { common, configOf, type CommonFlags, type Finish } from '../options.ts';

/** Any further enrolments are only counted. */
const NAMED = 20;

/** Makes a new present key. Prints its id, and the enrolments that are still sealed with an earlier key. */
async function rotateHostKey(config: Config, now: () => number): Promise<number> {
  const present = presentKey(config);
  if (present.former.length + 2 > MAX_HOST_KEYS)
    throw new NotpError(
      'refused',
      `${config.hostKey} already holds ${String(MAX_HOST_KEYS)} keys`,
      'run notp reseal --all, then notp host-key retire',
    );
  await refuseSharedKey(config, now);
  const key = new Uint8Array(randomBytes(KEY_BYTES));
  const id = hostKeyId(key);
  await replaceKeys(
    config,
    { from: present, to: [{ key, id }, present, ...present.former], event: 'host_key.rotated', detail: `${present.id} to ${id}` },
    now,
  );
  printResult(`${id}\n`);
  const left = (await hostSealed(config, now)).filter((each) => each.key !== 'present');
  say(
    `The host key is now ${id}. Earlier keys still open what they sealed: ${String(left.length)} ${left.length === 1 ? 'enrolment' : 'enrolments'}\n`,
  );
  sayLeft(left);
  sayHint(
    `notp reseal --all seals them with the new key, and notp host-key retire removes the old key; keep a copy of ${config.hostKey} off this host`,
  );
  return 0;
}

/** Removes the earlier keys. Without `yes` it refuses while an enrolment may need one. */
async function retireHostKeys(config: Config, { yes }: { readonly yes: boolean }, now: () => number): Promise<number> {
  const present = presentKey(config);
  if (present.former.length === 0) {
    removeDrafts(config.hostKey, 0);
    sayHint('there is no earlier key: nothing was changed');
    return 0;
  }
  const left = (await hostSealed(config, now)).filter((each) => each.key !== 'present');
  if (left.length > 0 && !yes) {
    sayLeft(left);
    throw new NotpError(
      'refused',
      `${String(left.length)} of the enrolments may need an earlier key`,
      'run notp reseal --all first, and notp revoke for users who are gone; with --yes these enrolments are lost, and their users must be enrolled again',
    );
  }
  const place = statePlace(config, realUser());
  await asUser(place.owner, () => renewRows(place, now));
  // Without the earlier keys, the old content of the copy is useless.
  await refreshAfterChange(config, now);
  const retired = present.former.map(({ id }) => id).join(', ');
  await replaceKeys(config, { from: present, to: [present], event: 'host_key.retired', detail: retired }, now);
  sayLine(`Retired: ${retired}`);
  return 0;
}

/** Throws `refused` where other hosts share the store: each must know a key before the rows are signed by it, or nobody logs in there. */
async function refuseSharedKey(config: Config, now: () => number): Promise<void> {
  if (config.store.kind !== 'postgres') return;
  const place = statePlace(config, realUser());
  const heads = await asUser(place.owner, () =>
    withPresentState(place, now, ({ store }) => store.exclusively((transaction) => transaction.heads())),
  );
  const newest = [...new Map(heads.map(({ host, log }) => [host, log]))];
  // A renamed host has the same log under each of its names.
  const hosts = newest.filter(([, log], i) => newest.findIndex((each) => each[1] === log) === i).map(([host]) => host);
  if (hosts.length < 2) return;
  throw new NotpError(
    'refused',
    `${String(hosts.length)} hosts share the store (${hosts.slice(0, NAMED).map(quoted).join(', ')}), and with a new key here alone nobody logs in on the others`,
    'add a new key file to the end of host_key on all hosts, then move it to the front on all, then run notp reseal --all; see docs/fleet.md',
  );
}

function presentKey(config: Config): HostKey {
  const service = serviceUser();
  if (config.store.kind === 'user') throw new NotpError('bad_configuration', 'store.url = "user" has no host key');
  if (hasEncryptedKey(config))
    throw new NotpError(
      'failed',
      `the host key is kept encrypted, in ${config.hostKey}.cred`,
      `decrypt it to ${config.hostKey} with systemd-creds (owner ${service.name}, mode 0400), run this again, encrypt that file again, move it to a safe place off this host, and then systemctl stop 'notp@*.service'; enrol and re-seal nobody before that, as the services have only the earlier key`,
    );
  const key = readHostKey(config.hostKey, service);
  if (key !== undefined) return key;
  throw new NotpError('failed', `there is no host key at ${config.hostKey}`, MAKE_KEY);
}

/** A change of the key file, with its record. */
interface Replacement {
  readonly from: HostKey;
  readonly to: readonly Pick<HostKey, 'key' | 'id'>[];
  readonly event: Event;
  readonly detail: string;
}

/** Records the change, keeps the keys that the audit chain was made with, and replaces the file in one step. */
async function replaceKeys(config: Config, replacement: Replacement, now: () => number): Promise<void> {
  const { uid, gid } = serviceUser();
  const written = draft(config.hostKey, Buffer.concat(replacement.to.map(({ key }) => key)), { mode: 0o400, uid, gid });
  try {
    // Race: of two processes each removes the other's draft before it checks the present keys, so at most one draft is put in place.
    removeDrafts(config.hostKey, 0, written.temporary);
    if (!isDeepStrictEqual(presentKey(config), replacement.from))
      throw new NotpError('refused', `${config.hostKey} was changed meanwhile`, 'nothing was changed; run the command again');
    await record(config, replacement, 'done', now);
    await put(written, () => record(config, replacement, 'failed', now));
  } finally {
    written.drop();
  }
  // Running services have read the earlier keys; stop them, so that new ones read the new file.
  stopServices();
}

async function put(written: Draft, undone: () => Promise<void>): Promise<void> {
  let lasting: boolean;
  try {
    lasting = written.put();
  } catch (error) {
    await undone();
    throw new NotpError('failed', messageOf(error), 'nothing was changed; run the command again', { cause: error });
  }
  if (!lasting) sayError('the new key file may not outlast a power failure', 'repair the disk and run sync before you continue');
}

async function record(config: Config, { from, event, detail }: Replacement, result: 'done' | 'failed', now: () => number): Promise<void> {
  const root = realUser();
  const place = statePlace(config, root);
  const line = { user: root.name, uid: root.uid, context: '', door: 'cli', event, result, detail, ref: newRef() } as const;
  await asUser(place.owner, () =>
    withPresentState(place, now, ({ store, log }) =>
      store.exclusively(async (transaction) => {
        for (const { key } of keysOf(from)) await transaction.keepChainKey(auditKey(key));
        await append(log, transaction, line);
      }),
    ),
  );
}

const KEY_NOTES: Readonly<Record<HostSealed['key'], string>> = {
  present: '',
  former: '',
  missing: ': sealed by a host key that is not here',
  unknown: ': its sealed file cannot be read, so its key is unknown',
};

/** Prints at most NAMED of them, since right after a rotation it is every enrolment. */
function sayLeft(left: readonly HostSealed[]): void {
  for (const { user, context, key } of left.slice(0, NAMED)) {
    sayLine(`  ${user} ${context}${KEY_NOTES[key]}`);
  }
  if (left.length > NAMED) sayLine(`  and ${String(left.length - NAMED)} more`);
}

interface RetireFlags extends CommonFlags {
  readonly yes?: boolean;
}

/** Adds `rotate` and `retire`. */
export function addRotate(hostKey: Command, now: () => number, finish: Finish): void {
  common(hostKey.command('rotate'))
    .description('make a new key; the earlier one still opens what it sealed, until notp reseal --all and notp host-key retire')
    .action(async (flags: CommonFlags) => {
      finish(await rotateHostKey(configOf(flags), now));
    });
  common(hostKey.command('retire'))
    .description('remove the earlier keys, if nothing is sealed with them any more')
    .option('--yes', 'remove them in any case; users who are still sealed with them must be enrolled again')
    .action(async (flags: RetireFlags) => {
      finish(await retireHostKeys(configOf(flags), { yes: flags.yes === true }, now));
    });
}
