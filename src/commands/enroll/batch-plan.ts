/** The plan of a batch, the same for all its users, made before the first enrolment. */
import { NotpError } from '../../error.ts';
import { contextName, cutAccount } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import type { Enrolment, KeptFile } from '../../store/store.ts';
import { hasService } from '../../system/systemd.ts';
import { requireRoot } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { whereSealed } from '../../login/sealed-files.ts';
import type { State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import type { EnrollOptions, Plan } from '../../enrolment/plan.ts';
import type { ImageKind } from '../../terminal/choices.ts';
import { serviceState } from '../../enrolment/whose.ts';

export interface BatchOptions {
  /** The options of each enrolment. In `account`, `%u` stands for the name of the user. */
  readonly each: EnrollOptions;
  /** The list of users; `-` is stdin. */
  readonly file: string;
  /** The folder of the hand-outs; undefined with `each.json` alone or `each.pending`. */
  readonly out: string | undefined;
  readonly image: ImageKind;
  readonly dryRun: boolean;
}

/** A running batch. */
export interface Batch {
  readonly config: Config;
  readonly options: BatchOptions;
  readonly place: StatePlace;
  /** Undefined only if a dry run finds no state. */
  readonly state: State | undefined;
  /** The enrolments for its context at the start of the batch, by user. */
  readonly known: ReadonlyMap<string, Enrolment>;
  /** The sealed files in the store at the start, by user; undefined if they are in the homes. */
  readonly kept: ReadonlyMap<string, KeptFile> | undefined;
  /** The real path of the folder of hand-outs. */
  readonly folder: string | undefined;
  readonly now: () => number;
}

/** The state that the batch changes. Throws `usage`, `not_permitted` or `failed` if the batch cannot run at all. */
export function batchPlace(config: Config, { each, out }: BatchOptions): StatePlace {
  contextName(each.context);
  requireRoot('enrol somebody else', 'sudo notp-enroll --batch FILE --out DIR');
  if (each.seal === 'passphrase')
    throw new NotpError('usage', 'a batch seals with the key of the host', 'leave out --seal: only the users themselves know a passphrase');
  refuseWithoutResult(each, out);
  const place = serviceState(config, 'a batch needs');
  if (each.pending && !hasService())
    throw new NotpError('failed', 'the service is not set up on this host', 'install its units first, or enrol with --out DIR');
  return place;
}

/**
 * Refuses a batch without output for the secrets. With --replace it needs hand-outs, which show whom an interrupted run
 * has replaced.
 */
function refuseWithoutResult({ pending, json, replace }: EnrollOptions, out: string | undefined): void {
  if (pending && (out !== undefined || json))
    throw new NotpError('usage', '--pending makes no secrets, so there is nothing to hand out', 'leave out --out and --json');
  if (pending || out !== undefined) return;
  if (!json) throw new NotpError('usage', 'the batch has no output for the secrets', 'give --out DIR for the hand-outs, or --json');
  if (replace)
    throw new NotpError(
      'usage',
      '--replace in a batch needs --out',
      'give --out DIR too: after an interruption the hand-outs show whom the batch has replaced',
    );
}

/** The plan for one user, the same as that of `notp-enroll USER`. */
export function planFor({ config, options, place, now }: Batch, user: User): Plan {
  const { context } = options.each;
  const account = cutAccount(options.each.account.replaceAll('%u', () => user.name));
  return {
    ...{ config, user, place, now },
    options: { ...options.each, user: user.name, account },
    origin: { user: user.name, uid: user.uid, context, door: 'cli' },
    sealKind: 'host',
    file: whereSealed(config, place, user, context),
  };
}
