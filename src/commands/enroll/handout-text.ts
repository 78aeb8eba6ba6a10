/** The plain text of a hand-out, for a printer or a screen. Pure. */
import { groupedKey, type TotpCredential } from '../../otp/uri.ts';

export interface HandoutFacts {
  readonly id: string;
  readonly user: string;
  readonly context: string;
  readonly host: string;
  /** As in the header of the sealed file. */
  readonly created: string;
  readonly credential: TotpCredential;
  readonly uri: string;
  readonly recovery: readonly string[];
  /** The QR code as text; may be empty. */
  readonly drawing: string;
  /** The name of the picture of the QR code beside it. */
  readonly image: string | undefined;
}

/** The line of a hand-out with the id of its enrolment. */
const ENROLMENT = /^Enrolment: ([0-9a-f]{32})$/m;

/** The id of the enrolment of a hand-out; undefined if there is no such line. */
export function enrolmentIn(handout: string): string | undefined {
  return ENROLMENT.exec(handout)?.[1];
}

export function handoutText(facts: HandoutFacts): string {
  return [heading(facts), scanning(facts), loggingIn(facts), recovering(facts), ending(facts), naming(facts)].join('\n');
}

function heading({ user, host }: HandoutFacts): string {
  const title = `One-time codes for ${user} on ${host}`;
  return `${title}
${'='.repeat(title.length)}

This host asks for a one-time code from your phone when you log in. This page
sets that up. Anybody who reads it can make your codes: show it to nobody, and
destroy it when you have finished.
`;
}

function scanning({ credential, uri, drawing, image }: HandoutFacts): string {
  const { algorithm, digits, periodSeconds } = credential;
  const picture = image === undefined ? '' : `   The same code is in the picture ${image}.\n`;
  const scan = drawing === '' ? (image === undefined ? '' : `   Scan the QR code in the picture ${image}.\n`) : `\n${drawing}\n${picture}`;
  return `1. Add the key to an authenticator app on your phone.
${scan}
   If scanning does not work, type the key into the app (time-based,
   ${algorithm}, ${String(digits)} digits, every ${String(periodSeconds)} seconds):

   Key: ${groupedKey(credential.secret)}

   or open this address on the phone:

   URI: ${uri}
`;
}

function loggingIn({ user, host }: HandoutFacts): string {
  return `2. Log in, the first time and every time, with:

   ssh ${user}@${host}

   When you are asked for a code, type what the app shows. If it is refused, wait for
   the next code, and check that the phone sets its clock automatically.
`;
}

function recovering({ recovery }: HandoutFacts): string {
  if (recovery.length === 0) return '3. You have no recovery codes: if you lose the phone, ask your administrator.\n';
  const codes = recovery.map((code) => `   ${code}\n`).join('');
  return `3. Keep these recovery codes away from the phone, in case you lose it. Each
   works once, in place of a code:

${codes}`;
}

function ending({ image }: HandoutFacts): string {
  const files = image === undefined ? 'this page and its file' : `this page, its file and ${image}`;
  return `4. When you have logged in once, destroy ${files}.
`;
}

function naming({ id, context, created }: HandoutFacts): string {
  return `Enrolment: ${id}
Context: ${context}
Made: ${created}
`;
}
