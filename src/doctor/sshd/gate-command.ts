/** Parses a ForceCommand: is it the gate and nothing else? Pure. */

/** A path without blanks or characters with a meaning for a shell. */
const PATH = String.raw`/[\w./@+:-]+`;
const EXACT = new RegExp(`^(${PATH}/notp|/notp) gate(?: --config ${PATH})?$`);

/** Whether the command is meant to run the gate, in any form. */
export function meansGate(command: string): boolean {
  return /(^|[\s/"'])notp["']?\s+gate\b/.test(command);
}

/** The absolute path of the program, if the command is only the gate with fixed arguments; undefined if a shell could read more into it. */
export function gateProgram(command: string): string | undefined {
  return EXACT.exec(command.trim())?.[1];
}

/** The configuration that the words of a command line name for notp; undefined if they leave it at the default. */
export function configOf(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === '--config' || word.startsWith('--config='));
  return words[at]?.startsWith('--config=') === true ? words[at].slice('--config='.length) : words[at + 1 || words.length];
}
