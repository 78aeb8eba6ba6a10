/** Re-seals a login that the service holds: the service does it after a code, and sends the file back. */
import { parseSealedFile, type SealedFile } from '../../seal/file.ts';
import { openConversation } from '../../terminal/conversation.ts';
import type { Change } from '../../wire/enrolment.ts';
import { sentFile } from '../../wire/question.ts';
import { whereSealed } from '../../login/sealed-files.ts';
import { statePlace } from '../../state/place.ts';
import { patience } from '../../terminal/ask-passphrase.ts';
import type { Hand, Reseal, Resealed } from '../enrolments.ts';
import type { Own } from '../own-secrets.ts';
import { passphraseToSealWith, presentPassphrase } from '../questions.ts';
import { storeBegun } from '../storing.ts';
import { askProof, foundAs, OFTEN_HINT, refusalOf, registrationBy, STALE_HINT, withService } from './connection.ts';

/** `old`: undefined where the service keeps it. Throws as Enrolments.reseal does. */
export async function sealThroughService(
  own: Own,
  socket: string,
  old: SealedFile | undefined,
  what: Reseal,
  hand: Hand,
): Promise<Resealed> {
  const { config, user, now } = own;
  const found = foundAs(old);
  return await withService(own, socket, async (ask) => {
    const passphrase = await presentPassphrase(own, old, what);
    const { event, recovery } = what;
    const change: Change = { event, recovery, passphrase: await passphraseToSealWith(own, old, what, passphrase) };
    // Asked last: a code expires while somebody thinks of a passphrase.
    const conversation = openConversation(patience(now));
    const readings = await askProof(found, conversation, '', passphrase).finally(() => {
      conversation.close();
    });
    const answer = await ask({ step: 'change', ...sentFile({ context: what.context, found }), readings, change });
    if (answer.kind !== 'anew') throw refusalOf(answer, { not_permitted: OFTEN_HINT, stale_enrolment: STALE_HINT });
    const bytes = Buffer.from(answer.file);
    const { id, seal } = parseSealedFile(bytes);
    const target = { config, user, file: whereSealed(config, statePlace(config, user), user, what.context), bytes };
    const done = { id, file: target.file, seal: seal.kind, recovery: answer.recovery };
    await storeBegun(target, registrationBy(ask), () => {
      hand(done);
    });
    return done;
  });
}
