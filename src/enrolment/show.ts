/** Prints a new enrolment: the QR code and the key, the recovery codes, the JSON, and what to do next. */
import * as path from 'node:path';
import { messageOf, NotpError } from '../error.ts';
import { toBase32 } from '../otp/code.ts';
import { type TotpCredential } from '../otp/uri.ts';
import { printResult, say, sayHint, sayLine } from '../terminal/printer.ts';
import { mayHaveDoor } from '../system/doors.ts';
import { writeNew } from '../system/trusted.ts';
import { isRoot, realUid } from '../system/users.ts';
import type { Plan } from './plan.ts';
import { qrImage } from '../terminal/qr.ts';
import { showSecret } from '../terminal/secret-screen.ts';

/** Prints the secret as the result on stdout. With JSON it prints only what was asked for, on stderr. */
export function show({ options }: Plan, credential: TotpCredential): void {
  const { json, confirm, qr: style = json ? 'none' : undefined } = options;
  if (json && !confirm && style === 'none') return;
  const [stream, print] = json ? [process.stderr, say] : [process.stdout, printResult];
  const after = confirm ? 'Then type its code.' : '';
  showSecret(credential, { stream, print, style, after, otherwise: ', or give --qr-file code.png' });
}

/** Writes the QR code to a new file, and gives its name. Throws where the file exists or its extension is unknown. */
export function writeImage(uri: string, file: string): string {
  const kind = path.extname(file).toLowerCase();
  if (kind !== '.png' && kind !== '.svg') throw new NotpError('usage', `${file}: --qr-file must end in .png or .svg`);
  try {
    writeNew(file, qrImage(uri, kind === '.png' ? 'png' : 'svg'));
    return file;
  } catch (error) {
    throw new NotpError('failed', messageOf(error), '--qr-file overwrites nothing; name a file that is not there');
  }
}

/** The recovery codes as text for a person. */
export function textOf(codes: readonly string[]): string {
  if (codes.length === 0) return '';
  const lines = codes.map((code) => `  ${code}\n`).join('');
  return `Recovery codes, for when the phone is lost. Each works once and is shown once:\n${lines}`;
}

/** The whole result, for a script. */
export function jsonOf(plan: Plan, id: string, credential: TotpCredential, uri: string, recovery: readonly string[]): string {
  const { user, context } = plan.origin;
  return (
    JSON.stringify({ id, user, context, seal: plan.sealKind, file: plan.file, uri, secret: toBase32(credential.secret), recovery }) + '\n'
  );
}

/** Ends the command with what to do next. */
export function tellNext({ user, origin, file }: Plan, image: string | undefined): void {
  sayLine(`Enrolled ${origin.user} for ${origin.context}: ${file}`);
  if (image !== undefined) sayHint(`${image} holds the secret: delete it when it is scanned`);
  sayHint(nextStep({ user: user.name, isSelf: user.uid === realUid(), isRoot: isRoot(), hasDoor: mayHaveDoor() }));
}

/** The next step after an enrolment of `user` by themselves, or by root. Pure. */
export function nextStep({ user, isSelf, isRoot: asRoot, hasDoor }: Caller): string {
  const nothing = 'nothing in /etc/ssh and /etc/pam.d asks for a code yet';
  if (!hasDoor && asRoot) return `${nothing}: open a door with notp setup pam, or notp setup gate; each first shows what it would change`;
  if (!hasDoor) return `${nothing}: an administrator opens a door with notp setup pam`;
  if (isSelf) return 'keep this session open and try a new login before you close it';
  return `keep this session open until a new login of ${user} has worked`;
}

interface Caller {
  readonly user: string;
  readonly isSelf: boolean;
  readonly isRoot: boolean;
  readonly hasDoor: boolean;
}
