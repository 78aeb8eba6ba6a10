/** usage: malformed-json.ts COUNT : parses texts made of real JSON, most of which are none. */
import { parseJson } from '../../src/json.ts';
import { mutated, randomFrom } from './mutate.ts';
import { samplesOf } from './parsers.ts';

const samples = [...samplesOf({ name: 'payload' }), ...samplesOf({ name: 'question' })];
const random = randomFrom(3);
let malformed = 0;
for (let left = Number(process.argv[2]); left > 0; left--) {
  const text = mutated(samples, random).toString('utf8');
  try {
    parseJson(text);
  } catch {
    malformed++;
  }
}
process.exitCode = malformed > 0 ? 0 : 1;
