/**
 * The secret of a login that this host has sealed, in the clear, for a second phone: root takes it with the host's key, the
 * user through the service after a code. Recorded before it leaves.
 */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { parseOtpauthUri, type Credential } from '../../otp/uri.ts';
import { registrationOf, type SealedFile } from '../../seal/file.ts';
import { openConversation } from '../../terminal/conversation.ts';
import { asUser } from '../../system/privileges.ts';
import { presentSocket } from '../../login/open.ts';
import { openWith } from '../../login/opening.ts';
import { giveOut } from '../../enrolment/registrar.ts';
import { sent } from '../../wire/remote.ts';
import { withPresentState } from '../../state/state.ts';
import { statePlace } from '../../state/place.ts';
import { patience } from '../../terminal/ask-passphrase.ts';
import { refuseHostSealed, type Own } from '../../enrolment/own-secrets.ts';
import { askProof, foundAs, noService, refusalOf, withService } from '../../enrolment/through-service.ts';

/**
 * The credential of the login `context`, in `sealed`, which is sealed by the host; undefined: the service keeps it. Throws `refused`
 * where it is out of reach, or without a proof. The caller wipes the secret.
 */
export async function hostSealedCredential(own: Own, context: string, sealed: SealedFile | undefined): Promise<Credential> {
  const { config, user } = own;
  const place = statePlace(config, user);
  const socket = place.kind === 'user' ? presentSocket(config, user) : undefined;
  if (socket !== undefined) return await throughService(own, socket, context, sealed);
  if (sealed === undefined) throw noService(own.user, context);
  if (place.kind === 'user') refuseHostSealed(sealed);
  const origin: Origin = { user: user.name, uid: user.uid, context: sealed.context, door: 'cli' };
  return await asUser(place.owner, () =>
    withPresentState(place, own.now, async (state) => {
      const payload = openWith(sealed, undefined, state.hostKey);
      if (payload === undefined) throw new NotpError('bad_secret_file', `${sealed.context} does not open`);
      const counter = await giveOut(state, origin, registrationOf(sealed));
      return payload.type === 'hotp' ? { ...payload, ...counter } : payload;
    }),
  );
}

async function throughService({ user, now }: Own, socket: string, context: string, file: SealedFile | undefined): Promise<Credential> {
  const found = foundAs(file);
  return await withService(user, socket, async (ask) => {
    const conversation = openConversation(patience(now));
    const readings = await askProof(found, conversation, '').finally(() => {
      conversation.close();
    });
    const answer = await ask({ step: 'export', ...sent({ context, found }), readings });
    if (answer.kind === 'secret') return parseOtpauthUri(answer.uri);
    throw refusalOf(answer);
  });
}
