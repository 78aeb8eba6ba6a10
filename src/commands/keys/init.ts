/** `notp host-key init|id`: makes the key for host seals, and the folders of the service's state. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { append, appendUnlinked, newRef } from '../../audit/audit.ts';
import { messageOf, NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { hostKeyId, KEY_BYTES } from '../../seal/keys.ts';
import { ChangedHead } from '../../store/store.ts';
import { defaultConfig, isMember, type Config } from '../../system/config.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { draft, removeDrafts, syncFolder } from '../../system/trusted.ts';
import { realUser, SERVICE_USER, userByName, type User } from '../../system/users.ts';
import { hasEncryptedKey, readHostKey } from '../../state/host-keys.ts';
import { heldByJudges, isInUse, MAKE_KEY, withNewState } from '../../state/state.ts';
import { statePlace, type StatePlace } from '../../state/place.ts';
import { Option, type Command } from 'commander';
import { type CommonFlags, type Finish, common, configOf } from '../options.ts';

/** Makes the host key if there is none, and the service's folders and database. Prints the key's id. `ifNew`: only on a host that never had one. */
async function initHostKey(config: Config, { ifNew }: { readonly ifNew: boolean }, now: () => number): Promise<number> {
  if (isMember(config)) {
    if (ifNew) return 0;
    throw heldByJudges(config);
  }
  const service = serviceUser();
  const elsewhere = ifNew && !fs.existsSync(config.hostKey) ? await whyNotNew(config, now) : undefined;
  if (elsewhere !== undefined) {
    sayHint(`no host key is made at boot: ${elsewhere}`);
    return 0;
  }
  if (config.store.kind === 'user') throw new NotpError('bad_configuration', 'store.url = "user" has no host key');
  makeFolder(path.dirname(config.hostKey), 0o755, undefined);
  if (config.store.kind === 'sqlite') makeFolder(path.dirname(config.store.path), 0o700, service);
  makeFolder(path.dirname(config.audit.file), 0o700, service);
  if (hasEncryptedKey(config))
    throw new NotpError(
      'failed',
      `the host key is kept encrypted, in ${config.hostKey}.cred`,
      'do not make a second key: it would open no sealed file',
    );
  // An interrupted init may have left a second name of the key, or another key.
  removeDrafts(config.hostKey, 0);
  const present = readHostKey(config.hostKey, service);
  if (present !== undefined) {
    sayHint(`${config.hostKey} already exists and stays unchanged`);
    printResult(`${present.id}\n`);
    return 0;
  }
  const place = statePlace(config, realUser());
  // Make the state first, and ask a server for its tables: if that fails, there must be no key without a record of its creation.
  await asUser(place.owner, () => withNewState(place, now, ({ store }) => store.exclusively(() => Promise.resolve())));
  const id = makeHostKey(config.hostKey, service);
  await recordCreation(place, id, now);
  printResult(`${id}\n`);
  sayHint(`keep a copy of ${config.hostKey} where only you can read it: without it every host-sealed enrolment is lost`);
  return 0;
}

/** Why the key of this host was lost, or is to come from elsewhere; undefined for a new host. Throws where the state cannot be read. */
async function whyNotNew(config: Config, now: () => number): Promise<string | undefined> {
  const { store, hostKeys } = config;
  if (hostKeys.join() !== defaultConfig().hostKey) return `host_key names ${hostKeys.join(', ')}, which root puts there`;
  // The first host of a fleet makes its key by hand, and the others get that one.
  if (store.kind !== 'sqlite') return 'its state is not in a file of this host';
  const place = statePlace(config, realUser());
  const isUsed = await asUser(place.owner, () => isInUse(place, now));
  return isUsed ? `${store.path} is signed with a key that was lost: restore that from your copy` : undefined;
}

/** Prints the id of the host key. */
function printHostKeyId(config: Config): number {
  const key = readHostKey(config.hostKey, serviceUser());
  if (key === undefined) throw new NotpError('failed', `there is no host key at ${config.hostKey}`, MAKE_KEY);
  printResult(`${key.id}\n`);
  if (key.former.length > 0) sayHint(`earlier keys are kept too: ${key.former.map(({ id }) => id).join(', ')}; see notp host-key retire`);
  return 0;
}

/** The system user that owns the key. Throws `not_permitted` without root, `failed` if there is no such user. */
export function serviceUser(): User {
  requireRoot('use the host key');
  const service = userByName(SERVICE_USER);
  if (service !== undefined) return service;
  throw new NotpError(
    'failed',
    `there is no system user ${SERVICE_USER}`,
    shellCommand`useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin ${SERVICE_USER}`,
  );
}

/** Writes a new key whole or not at all; owned by the service, readable by nobody else. Gives its id. */
function makeHostKey(file: string, { uid, gid }: User): string {
  const key = new Uint8Array(randomBytes(KEY_BYTES));
  const written = draft(file, key, { mode: 0o600, uid, gid });
  try {
    // link(2) fails if the name is taken, so an existing key is never overwritten.
    fs.linkSync(written.temporary, file);
  } catch (error) {
    throw new NotpError('failed', `the host key was not made: ${messageOf(error)}`, 'notp host-key id shows one that was made meanwhile');
  } finally {
    written.drop();
  }
  syncFolder(path.dirname(file));
  const id = hostKeyId(key);
  key.fill(0);
  return id;
}

/** Records it outside the chain where that cannot be continued, as on a host whose log the store of a fleet does not know yet, and throws. */
async function recordCreation(place: StatePlace, id: string, now: () => number): Promise<void> {
  const root = realUser();
  const record = {
    user: root.name,
    uid: root.uid,
    context: '',
    door: 'cli',
    event: 'host_key.created',
    result: 'done',
    detail: id,
  } as const;
  await asUser(place.owner, () =>
    withNewState(place, now, async ({ store, log }) => {
      const complete = { ...record, ref: newRef() };
      try {
        await store.exclusively((transaction) => append(log, transaction, complete));
      } catch (error) {
        if (error instanceof ChangedHead) await appendUnlinked(log, complete, { required: true });
        throw error;
      }
    }),
  );
}

function makeFolder(folder: string, mode: number, owner: User | undefined): void {
  if (fs.existsSync(folder)) return;
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (owner !== undefined) fs.chownSync(folder, owner.uid, owner.gid);
  fs.chmodSync(folder, mode);
}

/** Adds `init` and `id`. */
export function addInit(hostKey: Command, now: () => number, finish: Finish): void {
  common(hostKey.command('init'))
    .description("make the key if there is none, and the service's folders; print the key's id")
    .addOption(new Option('--if-new', 'for the boot; on a host that had a key, or is to get one, none is made').hideHelp())
    .action(async (flags: CommonFlags & { readonly ifNew?: boolean }) => {
      finish(await initHostKey(configOf(flags), { ifNew: flags.ifNew === true }, now));
    });
  common(hostKey.command('id'))
    .description("print the key's id")
    .action(async (flags: CommonFlags) => {
      finish(printHostKeyId(configOf(flags)));
    });
}
