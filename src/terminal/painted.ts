/** Text in a colour, where whoever reads it wants colours: see traits.ts. */
import { styleText } from 'node:util';

/** As styleText of node:util names them; `undefined` is none. */
export type Tone = Parameters<typeof styleText>[0] | undefined;

/** Pure. */
export function painted(text: string, tone: Tone, { colour }: { readonly colour: boolean }): string {
  return colour && tone !== undefined && text !== '' ? styleText(tone, text, { validateStream: false }) : text;
}
