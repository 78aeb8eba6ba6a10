/** The enrolments of a user that the service of this host holds. It is asked through the user's socket, and each change takes a proof. */
import { shellCommand } from '../../otp/escape.ts';
import { parseOtpauthUri } from '../../otp/uri.ts';
import { openConversation } from '../../terminal/conversation.ts';
import { patience } from '../../terminal/ask-passphrase.ts';
import { isMember } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { findDevices, sealedNames, type DeviceFile, type Found } from '../../system/secrets.ts';
import { sealedFile } from '../../login/sealed-files.ts';
import { sentFile } from '../../wire/question.ts';
import { MAX_STATUS_FILES, type CareQuestion } from '../../wire/enrolment.ts';
import type { EnrolAnswer } from '../../wire/enrolment.ts';
import type { Facts } from '../../wire/facts.ts';
import type { Enrolments, Hand, Reseal, Resealed } from '../enrolments.ts';
import { isOutOfSight, ownSealed, type Own } from '../own-secrets.ts';
import { sealHere } from '../here/seal.ts';
import { heldByService, onlyRootInvites, ownStatePlace } from '../whose.ts';
import { askProof, foundAs, refusalOf, STALE_HINT, withService } from './connection.ts';
import { enrolThroughService } from './enrol.ts';
import { sealThroughService } from './seal.ts';

/** `socket`: the socket of `own.user`. */
export function enrolmentsThroughService(own: Own, socket: string): Enrolments {
  const { user, config, now } = own;
  const askFacts = async (files: readonly DeviceFile[]): Promise<readonly Facts[]> => {
    const answer = await withService(own, socket, (ask) => ask({ step: 'status', files: files.map(sentFile) }));
    if (answer.kind === 'facts') return answer.facts;
    throw refusalOf(answer);
  };
  /** Asks for a proof first: another program of the user must not be able to do it. */
  const proven = async (step: Exclude<CareQuestion['step'], 'change'>, context: string, found: Found): Promise<EnrolAnswer> =>
    await withService(own, socket, async (ask) => {
      const conversation = openConversation(patience(now));
      const readings = await askProof(found, conversation, '').finally(() => {
        conversation.close();
      });
      return await ask({ step, ...sentFile({ context, found }), readings });
    });
  return {
    heldBy: 'the service',
    // The service knows the state, and this user can read the sealed files.
    status: async () =>
      await askFacts(
        await asUser(user, () => {
          const names = new Set([...config.contexts, ...sealedNames(config, user)]);
          return findDevices(config, user, [...names].slice(0, MAX_STATUS_FILES));
        }),
      ),
    enrol: (plan) => enrolThroughService(plan, socket),
    invite: () => Promise.reject(onlyRootInvites(user)),
    reseal: (what, hand = () => undefined) => reseal(own, socket, what, hand),
    giveOut: async (context, sealed) => {
      const answer = await proven('export', context, foundAs(sealed));
      if (answer.kind === 'secret') return parseOtpauthUri(answer.uri);
      throw refusalOf(answer, { stale_enrolment: STALE_HINT });
    },
    revoke: async (context) => {
      const answer = await proven('revoke', context, await sealedFile(config, user, context, now));
      // The socket stays, since only root can remove it.
      if (answer.kind === 'done') return { enrolment: true, grants: 0, endsSocket: false };
      throw refusalOf(answer, { stale_enrolment: STALE_HINT });
    },
    forget: async () => {
      const answer = await withService(own, socket, (ask) => ask({ step: 'forget' }));
      if (answer.kind !== 'done') throw refusalOf(answer);
    },
    unlock: () => Promise.reject(heldByService(user, shellCommand`sudo notp unlock --user ${user.name}`)),
    isLogin: async (file) => {
      const { context } = file;
      return (await askFacts([{ context, found: { kind: 'sealed', file } }])).some((each) => each.context === context && each.registered);
    },
    isLoginContext: async (context) => {
      if (isMember(config)) return config.contexts.includes(context);
      const facts = await askFacts([{ context, found: { kind: 'absent' } }]);
      return facts.some((each) => each.context === context && each.state !== 'revoked' && each.state !== 'invited');
    },
  };
}

async function reseal(own: Own, socket: string, what: Reseal, hand: Hand): Promise<Resealed> {
  if (isOutOfSight(own, what.context)) return await sealThroughService(own, socket, undefined, what, hand);
  const old = await ownSealed(own, what.context);
  // The passphrase of a secret that logs in nowhere can change here. All else is about a login.
  const isHeld = old.seal.kind === 'host' || what.event !== 'passphrase' || own.config.contexts.includes(what.context);
  return isHeld ? await sealThroughService(own, socket, old, what, hand) : await sealHere(own, ownStatePlace(own), old, what, hand);
}
