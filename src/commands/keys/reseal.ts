/**
 * `notp reseal`: re-seals a login with the host key or a passphrase; the secret stays the same. With `all` it re-seals
 * every login that an earlier host key sealed, so that the earlier key can be removed (rotate.ts).
 */
import { messageOf, NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { auditKey } from '../../seal/keys.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayError, sayHint, sayLine } from '../../terminal/printer.ts';
import { enableSockets, hasService } from '../../system/systemd.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser, userByName } from '../../system/users.ts';
import { hostSealed, leftInHomesOf } from '../../enrolment/host-sealed.ts';
import { LEFT_IN_HOME, resealByHost } from '../../enrolment/store-seal.ts';
import { renewRows } from '../../outage/renewing.ts';
import { refreshAfterChange } from '../store/outage.ts';
import { withPresentState } from '../../state/state.ts';
import { statePlace } from '../../state/place.ts';
import type { Own } from '../../enrolment/own-secrets.ts';
import type { Reseal } from '../../enrolment/enrolments.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { Option, type Command } from 'commander';
import {
  common,
  configOf,
  CONTEXT,
  ownOf,
  passphraseFileOption,
  type CommonFlags,
  type Finish,
  type Surroundings,
  JSON_LINES,
} from '../options.ts';

export interface ResealOptions extends Pick<Reseal, 'context' | 'seal' | 'passphraseFile' | 'newPassphraseFile'> {
  readonly json: boolean;
}

export async function reseal(own: Own, { json, ...options }: ResealOptions): Promise<number> {
  const { id, file, seal } = await openEnrolments(own).reseal({ ...options, event: 'reseal', recovery: undefined });
  const { user, config } = own;
  if (seal === 'host' && statePlace(config, user).kind === 'service' && hasService()) enableSockets([user.uid]);
  if (json) printResult(JSON.stringify({ id, user: user.name, context: options.context, seal, file }) + '\n');
  else sayLine(`Re-sealed ${seal === 'host' ? 'by this host' : 'by a passphrase'}: ${file}`);
  return 0;
}

/** Re-seals every enrolment that an earlier host key sealed. The exit code is 1 if some failed. */
export async function resealAll(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const left = (await hostSealed(config, now)).filter(({ key }) => key !== 'present');
  await renewProofs(config, now);
  const inHomes = await leftInHomesOf(config, statePlace(config, realUser()), now);
  let failed = 0;
  for (const [i, { user: name, context }] of left.entries()) {
    try {
      const user = userByName(name);
      if (user === undefined) throw noUser(config, name, context);
      if (inHomes.some((each) => each.user === name && each.context === context)) throw leftInHome(name, context);
      const what = {
        context,
        event: 'reseal',
        seal: 'host',
        recovery: undefined,
        passphraseFile: undefined,
        newPassphraseFile: undefined,
      } as const;
      const { id, file } = await openEnrolments({ config, user, now }).reseal(what);
      if (json) printResult(JSON.stringify({ id, user: name, context, seal: 'host', file }) + '\n');
      else sayLine(`${String(i + 1)}/${String(left.length)} ${name} ${context}`);
    } catch (error) {
      failed++;
      sayError(`${name} ${context}: ${messageOf(error)}`, error instanceof NotpError ? error.hint : undefined);
    }
  }
  await refreshAfterChange(config, now);
  if (failed === 0) sayHint('every host-sealed enrolment now uses the present key; notp host-key retire removes the earlier keys');
  return failed === 0 ? 0 : 1;
}

function leftInHome(name: string, context: string): NotpError {
  return new NotpError('failed', LEFT_IN_HOME, resealByHost(name, context));
}

function noUser({ store }: Config, name: string, context: string): NotpError {
  const revoke = shellCommand`notp revoke --user ${name} ${context}`;
  return store.kind === 'postgres'
    ? new NotpError('failed', 'there is no such user on this host', `run this on a host that has the user; if no host has: ${revoke}`)
    : new NotpError('failed', 'there is no such user any more', revoke);
}

/**
 * Prepares the removal of earlier keys: signs the rows of the store with the present key, and keeps the chain keys that
 * verify old records.
 */
async function renewProofs(config: Config, now: () => number): Promise<void> {
  const place = statePlace(config, realUser());
  await asUser(place.owner, async () => {
    const former = await withPresentState(place, now, async ({ store, hostKey }) => {
      const keys = hostKey?.former ?? [];
      if (keys.length === 0) return keys;
      await store.exclusively(async (transaction) => {
        for (const { key } of keys) await transaction.keepChainKey(auditKey(key));
      });
      return keys;
    });
    if (former.length > 0) await renewRows(place, now);
  });
}

interface ResealFlags extends CommonFlags {
  readonly user?: string;
  readonly all?: boolean;
  readonly seal?: 'host' | 'passphrase';
  readonly passphraseFile?: string;
  readonly newPassphraseFile?: string;
  readonly json?: boolean;
}

/** Adds `reseal`. */
export function addReseal(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('reseal'))
    .description('re-seal a login with the key of this host or a passphrase; its secret stays')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of the login; only root can name another user')
    .option('--all', 're-seal every login that an earlier key of this host sealed, with the present key')
    .addOption(
      new Option('--seal <kind>', 'how to seal it (default: as before, with the present key of the host)').choices(['host', 'passphrase']),
    )
    .addOption(passphraseFileOption())
    .option('--new-passphrase-file <file>', 'with --seal passphrase: read the new passphrase from the first line of a file, "-" for stdin')
    .option('--json', JSON_LINES)
    .addHelpText(
      'after',
      '\nExamples:\n  notp reseal --seal passphrase    your own login: from host key to passphrase\n  sudo notp reseal --all           after notp host-key rotate',
    )
    .action(async (context: string | undefined, flags: ResealFlags) => {
      const { seal, passphraseFile, newPassphraseFile, all } = flags;
      const json = flags.json === true;
      if (all === true) {
        if (context !== undefined || flags.user !== undefined || seal !== undefined)
          throw new NotpError('usage', '--all takes no context, --user or --seal', 'see notp reseal --help');
        finish(await resealAll(configOf(flags), { json }, now));
        return;
      }
      if (newPassphraseFile !== undefined && seal !== 'passphrase')
        throw new NotpError('usage', '--new-passphrase-file needs --seal passphrase', 'see notp reseal --help');
      const own = await ownOf(flags, now, 'seal the login of somebody else');
      finish(await reseal(own, { context: context ?? own.config.context, seal, passphraseFile, newPassphraseFile, json }));
    });
}
