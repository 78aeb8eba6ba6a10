/** What a ForceCommand says: whether it is the gate, and nothing else. Pure. */

/** A path without blanks, and no character that a shell makes something of. */
const PATH = String.raw`/[\w./@+:-]+`;
const EXACT = new RegExp(`^(${PATH}/notp|/notp) gate(?: --config ${PATH})?$`);

/** Whether the command means the gate at all, however it is written. */
export function meansGate(command: string): boolean {
  return /(^|[\s/"'])notp["']?\s+gate\b/.test(command);
}

/** The absolute path of the program where the command is the gate with fixed arguments; undefined where a shell would make more of it. */
export function gateProgram(command: string): string | undefined {
  return EXACT.exec(command.trim())?.[1];
}
