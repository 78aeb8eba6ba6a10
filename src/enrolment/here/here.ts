/** The enrolments on a state that this process may write: root writes the host's state, users their own. */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Credential } from '../../otp/uri.ts';
import { registrationOf, type SealedFile } from '../../seal/file.ts';
import type { Transaction } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { enableSockets, hasService } from '../../system/systemd.ts';
import { isRoot } from '../../system/users.ts';
import { missingSocket } from '../../login/open.ts';
import { openWith } from '../../login/opening.ts';
import { withNewState, withPresentState, withState, type State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import { factsOfAll, factsOfUser } from '../read-facts.ts';
import { forgetSources } from '../forget.ts';
import { refill, type Refilled } from '../refill.ts';
import type { Enrolments, NamedEnrolments } from '../enrolments.ts';
import { isOutOfSight, ownSealed, refuseHostSealed, type Own } from '../own-secrets.ts';
import { invite, recordExport, registeredAs, revoke } from '../registrar.ts';
import {
  heldByService,
  isElsewhere,
  keptByService,
  notEnrolled,
  onlyRootInvites,
  originOf,
  refuseElsewhere,
  type Whose,
} from '../whose.ts';
import { enrolHere } from './enrol.ts';
import { sealHere } from './seal.ts';

/** `place`: the state that judges the logins of `own.user`. */
export function enrolmentsHere(own: Own, place: StatePlace): Enrolments {
  const { config, user, now } = own;
  const originFor = (context: string): Origin => ({ user: user.name, uid: user.uid, context, door: 'cli' });
  const onLogins = async <T>(work: (transaction: Transaction) => Promise<T>): Promise<T | undefined> =>
    await asUser(place.owner, () => withState(place, now, async (state) => await state?.store.exclusively(work)));
  return {
    ...namedHere(config, user, place, now),
    heldBy: 'this process',
    status: async () => {
      const all = await factsOfUser(config, place, user, now);
      // The user's own state counts for nothing where another state judges the login.
      return missingSocket(config, user) === undefined ? all : all.filter(({ context }) => !config.contexts.includes(context));
    },
    enrol: async (plan) => {
      await enrolHere(plan);
      if (place.kind === 'service' && hasService()) enableSockets([user.uid]);
    },
    invite: async (context) => {
      if (!isRoot()) throw onlyRootInvites(user);
      if (place.kind !== 'service' || !hasService())
        throw new NotpError(
          'failed',
          'the service is not set up on this host',
          'install its units first, or run notp-enroll without --pending',
        );
      await asUser(place.owner, () => withNewState(place, now, (state) => invite(state, originFor(context), config.policy, now())));
      enableSockets([user.uid]);
    },
    reseal: async (what, hand = () => undefined) => {
      refuseElsewhere(config, user, what.context, shellCommand`sudo notp ${what.event} ${what.context} --user ${user.name}`);
      if (isOutOfSight(own, what.context)) throw keptByService(user, what.context);
      return await sealHere(own, place, await ownSealed(own, what.context), what, hand);
    },
    giveOut: async (context, sealed) => {
      refuseElsewhere(config, user, context, shellCommand`sudo notp export ${context} --user ${user.name}`);
      if (sealed === undefined) throw keptByService(user, context);
      if (place.kind === 'user') refuseHostSealed(sealed);
      return await asUser(place.owner, () =>
        withPresentState(place, now, (state) => credentialIn(state, originFor(sealed.context), sealed)),
      );
    },
    isLogin: async (file) => {
      if (file.seal.kind === 'host' && place.kind === 'user')
        throw new NotpError(
          'refused',
          `${file.context} is sealed by this host, and there is no service to say whether it logs in`,
          shellCommand`ask an administrator: sudo notp status ${file.context} --user ${user.name}`,
        );
      refuseElsewhere(config, user, file.context, shellCommand`sudo notp status ${file.context} --user ${user.name}`);
      return (await onLogins((transaction) => registeredAs(transaction, originFor(file.context), registrationOf(file)))) === 'active';
    },
    isLoginContext: async (context) => (await onLogins((transaction) => transaction.enrolment(user.name, context)))?.status === 'active',
  };
}

/** `place`: the state of this host where `whose` is only a name. */
export function namedHere(config: Config, whose: Whose, place: StatePlace, now: () => number): NamedEnrolments {
  const onState = async <T>(work: (state: State | undefined) => Promise<T>): Promise<T> =>
    await asUser(place.owner, () => withState(place, now, work));
  return {
    status: async () => {
      const { ofUsers } = await factsOfAll(config, place, now);
      for await (const facts of ofUsers) if (facts[0]?.user === whose.name) return facts;
      return [];
    },
    revoke: (context) =>
      onState(async (state) => {
        refuseElsewhere(config, whose, context, shellCommand`sudo notp revoke ${context} --user ${whose.name}`);
        if (state === undefined) throw new NotpError('refused', `${whose.name} is not enrolled for ${context}`, 'nothing was changed');
        const { othersLeft, ...ended } = await revoke(state, { ...originOf(whose), context, door: 'cli' });
        return { ...ended, endsSocket: whose.uid !== undefined && place.kind === 'service' && !othersLeft };
      }),
    forget: () =>
      onState(async (state) => {
        refuseElsewhere(config, whose, undefined, shellCommand`sudo notp forget ${whose.name}`);
        if (state !== undefined) await forgetSources(state, { ...originOf(whose), door: 'cli' });
      }),
    unlock: (context) =>
      onState(async (state): Promise<readonly Refilled[]> => {
        if (isElsewhere(config, whose, context)) throw heldByService(whose, shellCommand`sudo notp unlock --user ${whose.name}`);
        const filled = state === undefined ? [] : await refill(state, { ...originOf(whose), door: 'cli' }, context, config, now());
        if (filled.length > 0) return filled;
        const known = (await state?.store.exclusively((transaction) => transaction.enrolmentsOf(whose.name))) ?? [];
        if (known.some((each) => context === undefined || each.context === context))
          throw new NotpError('refused', `the enrolment of ${whose.name} is revoked`, 'a new enrolment begins with a full budget');
        throw notEnrolled(whose, context, known);
      }),
  };
}

async function credentialIn(state: State, origin: Origin, sealed: SealedFile): Promise<Credential> {
  const payload = openWith(sealed, undefined, state.hostKey);
  if (payload === undefined) throw new NotpError('bad_secret_file', `${sealed.context} does not open`);
  const counter = await recordExport(state, origin, registrationOf(sealed));
  return payload.type === 'hotp' ? { ...payload, ...counter } : payload;
}
