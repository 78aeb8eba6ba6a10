/** Prints a new enrolment: the QR code and the key, the recovery codes, the JSON, and what to do next. */
import * as path from 'node:path';
import { isatty } from 'node:tty';
import { messageOf, NotpError } from '../error.ts';
import { toBase32 } from '../otp/code.ts';
import { groupedKey, type TotpCredential } from '../otp/uri.ts';
import { printResult, say, sayHint, sayLine } from '../terminal/printer.ts';
import { writeNew } from '../system/trusted.ts';
import type { Plan } from './plan.ts';
import { drawFittingQr, qrImage } from '../terminal/qr.ts';

/** Prints the QR code, the key and the URI as the result on stdout. With JSON it prints only what was asked for, on stderr. */
export function show({ options }: Plan, credential: TotpCredential, uri: string): void {
  const style = options.qr ?? (options.json ? 'none' : isatty(1) ? 'unicode' : 'ascii');
  const drawing = drawFittingQr(uri, style, options.json ? process.stderr : process.stdout, 'widen it, or give --qr-file');
  const text = `${drawing}\nKey: ${groupedKey(credential.secret)}\nURI: ${uri}\n\n`;
  if (!options.json) printResult(text);
  else if (options.confirm || style !== 'none') say(text);
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
  return `Recovery codes, for the day the phone is lost. Each works once; they are not shown again:\n${lines}`;
}

/** The whole result, for a script. */
export function jsonOf(plan: Plan, id: string, credential: TotpCredential, uri: string, recovery: readonly string[]): string {
  const { user, context } = plan.origin;
  return (
    JSON.stringify({ id, user, context, seal: plan.sealKind, file: plan.file, uri, secret: toBase32(credential.secret), recovery }) + '\n'
  );
}

/** Ends the command with what to do next. */
export function tellNext({ origin, file }: Plan, image: string | undefined): void {
  sayLine(`Enrolled ${origin.user} for ${origin.context}: ${file}`);
  if (image !== undefined) sayHint(`${image} holds the secret: delete it when it is scanned`);
  sayHint('keep this session open and try a new login before you close it');
}
