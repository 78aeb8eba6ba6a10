/**
 * Rewrites the auth lines of a stack so that the next line after them runs only if they succeed. With a plain include, `sufficient` would
 * end the whole stack before that line. In a substack, a failure would end only the substack, and the line would run after a wrong password.
 * So here success jumps to the next line, and a failure ends the whole stack at once. Pure. See pam.conf(5).
 */
import { pairsOf } from './control.ts';
import { endsOf } from './paths.ts';
import type { PamLine, PamModule } from './stack.ts';

/** The target of a jump: its place in the flat list, once known. */
interface Label {
  at: number;
}
interface Flat {
  readonly line: PamModule;
  readonly actions: ReadonlyMap<string, string | Label>;
}

/**
 * Returns lines of pam.conf(5) that end in `required pam_permit.so`, to which every success jumps. Undefined if the stack cannot be
 * rewritten: it has the action `reset`, or it can end both with a success and without any return value that counts.
 */
export function inlined(lines: readonly PamLine[]): string[] | undefined {
  const counted = endsWell(lines) ? lines : withoutIgnore(lines);
  const flat: Flat[] = [];
  const [fallen, done] = [label(), label()];
  if (!endsWell(counted) || !flatten(counted, { end: fallen, done, flat })) return undefined;
  const mustFail = endsOf(counted).has('none');
  fallen.at = flat.length;
  done.at = flat.length + (mustFail ? 1 : 0);
  const written = flat.map(({ line, actions }, i) => print(line, actions, i));
  return [...written, ...(mustFail ? ['auth requisite pam_deny.so'] : []), 'auth required pam_permit.so'];
}

const COPY = '# copy of the auth lines of ';
const COPY_END = '# end of the copy';

/** As inlined(), with marker comments that name the copied stack for doctor; undefined if it cannot be rewritten. */
export function copyOf(stack: string, lines: readonly PamLine[]): string[] | undefined {
  const written = inlined(lines);
  return written === undefined ? undefined : [`${COPY}${stack}: success jumps to what follows, failure ends it all`, ...written, COPY_END];
}

/** The stacks whose copies in `text`, the content of a PAM file, differ from their present lines, which `read` returns. */
export function outdatedCopies(text: string, read: (stack: string) => readonly PamLine[]): string[] {
  const found = text.matchAll(/^# copy of the auth lines of (\S+): [^]*?\n# end of the copy$/gm);
  return [...found].flatMap(([whole, stack = '']) => (copyOf(stack, read(stack))?.join('\n') === whole ? [] : [stack]));
}

function endsWell(lines: readonly PamLine[]): boolean {
  const ends = endsOf(lines);
  return !(ends.has('yes') && ends.has('none'));
}

/** Makes the last line refuse if its return value would be ignored, as with a password module that is the only line. */
function withoutIgnore(lines: readonly PamLine[]): PamLine[] {
  return lines.map((line, i) =>
    line.kind === 'module' && i === lines.length - 1
      ? { ...line, control: [...new Map([...pairsOf(line.control), ['ignore', 'die']])].map((pair) => pair.join('=')).join(' ') }
      : line,
  );
}

function label(): Label {
  return { at: 0 };
}

/** Returns false if a line cannot be rewritten. `end`: where the stack goes on; `done`: where it goes on after a success. */
function flatten(lines: readonly PamLine[], { end, done, flat }: { end: Label; done: Label; flat: Flat[] }): boolean {
  const places = [...lines.map(label), end];
  return lines.every((line, i) => {
    (places[i] ?? end).at = flat.length;
    if (line.kind === 'substack') {
      const after = label();
      const written = flatten(line.lines, { end: after, done: after, flat });
      after.at = flat.length;
      return written;
    }
    const actions = new Map<string, string | Label>();
    for (const [answer, action] of explicit(line.control)) {
      const written = rewritten(answer, action, { done, over: (count) => places[i + 1 + count] });
      if (written === undefined) return false;
      actions.set(answer, written);
    }
    flat.push({ line, actions });
    return true;
  });
}

/** Writes the default action out for `success` and `ignore`, if the control does not name them. */
function explicit(control: string): ReadonlyMap<string, string> {
  const pairs = pairsOf(control);
  const byDefault = pairs.get('default') ?? 'bad';
  return new Map([...['success', 'ignore'].map((answer) => [answer, byDefault] as const), ...pairs, ['default', byDefault]]);
}

function rewritten(
  answer: string,
  action: string,
  { done, over }: { done: Label; over: (count: number) => Label | undefined },
): string | Label | undefined {
  // If another value than success has the action ok, pam_authenticate(3) returns that value, which is not a success.
  const succeeds = answer === 'success';
  if (/^\d+$/.test(action)) return over(Number(action)) ?? 'die';
  switch (action) {
    case 'ok':
      return succeeds ? 'ok' : 'die';
    case 'done':
      return succeeds ? done : 'die';
    case 'bad':
    case 'die':
      return 'die';
    case 'ignore':
      return 'ignore';
    default:
      return undefined;
  }
}

function print({ isOptional, path, words }: PamModule, actions: Flat['actions'], at: number): string {
  const pairs = [...actions].map(([answer, action]) => `${answer}=${typeof action === 'string' ? action : jump(action, answer, at)}`);
  const quoted = words.map((word) => (/[\s\]]/.test(word) ? `[${word.replaceAll(']', '\\]')}]` : word));
  return [`${isOptional ? '-' : ''}auth`, `[${pairs.join(' ')}]`, path, ...quoted].join(' ');
}

/** A jump over no lines must be written as ok or ignore. */
function jump({ at }: Label, answer: string, from: number): string {
  const count = at - from - 1;
  if (count > 0) return String(count);
  return answer === 'success' ? 'ok' : 'ignore';
}
