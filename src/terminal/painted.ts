/** Text in a colour, where the reader wants colours: see traits.ts. */
import { styleText } from 'node:util';

/** A style of styleText in node:util; `undefined` is none. */
export type Tone = Parameters<typeof styleText>[0] | undefined;

/** `text` in the colour of `tone`, where colours are wanted. Pure. */
export function painted(text: string, tone: Tone, { colour }: { readonly colour: boolean }): string {
  return colour && tone !== undefined && text !== '' ? styleText(tone, text, { validateStream: false }) : text;
}
