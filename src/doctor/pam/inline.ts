/**
 * The auth lines of one stack, written so that a line after them runs only where they succeed. Included as they are, `sufficient` would
 * end all before that line; in a substack a failure would end only the substack, and the line would run after a wrong password. So
 * success jumps to what follows, and a failure ends it all at once. Pure. See pam.conf(5).
 */
import { pairsOf } from './control.ts';
import { endsOf } from './paths.ts';
import type { PamLine, PamModule } from './stack.ts';

/** Where a jump lands: the place in the flat list, once it is known. */
interface Label {
  at: number;
}
interface Flat {
  readonly line: PamModule;
  readonly actions: ReadonlyMap<string, string | Label>;
}

/**
 * Gives lines of pam.conf(5) that end in `required pam_permit.so`, on which every success lands. Undefined where that cannot be written: an
 * action `reset`, or an end that was reached by a success in one way and by nothing but answers that do not count in another.
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

/** `inlined`, with marks that tell doctor what it was made of; undefined where that cannot be written. */
export function copyOf(stack: string, lines: readonly PamLine[]): string[] | undefined {
  const written = inlined(lines);
  return written === undefined ? undefined : [`${COPY}${stack}: success jumps to what follows, failure ends it all`, ...written, COPY_END];
}

/** The stacks whose copies stand in `text`, a file of PAM, and no more say what `read` gives now. */
export function outdatedCopies(text: string, read: (stack: string) => readonly PamLine[]): string[] {
  const found = text.matchAll(/^# copy of the auth lines of (\S+): [^]*?\n# end of the copy$/gm);
  return [...found].flatMap(([whole, stack = '']) => (copyOf(stack, read(stack))?.join('\n') === whole ? [] : [stack]));
}

function endsWell(lines: readonly PamLine[]): boolean {
  const ends = endsOf(lines);
  return !(ends.has('yes') && ends.has('none'));
}

/** The last line refuses where its answer would not count, as with a password module that was the only one. */
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

/** False where a line has no such form. `end`: where the stack goes on; `done`: where its success does. */
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

/** What `default` stands for among the answers that are no failures, in so many words. */
function explicit(control: string): ReadonlyMap<string, string> {
  const pairs = pairsOf(control);
  const standard = pairs.get('default') ?? 'bad';
  return new Map([...['success', 'ignore'].map((answer) => [answer, standard] as const), ...pairs, ['default', standard]]);
}

function rewritten(
  answer: string,
  action: string,
  { done, over }: { done: Label; over: (count: number) => Label | undefined },
): string | Label | undefined {
  // With any other answer that is called ok, pam_authenticate(3) gives that answer, which is no success.
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

/** A jump over nothing is none. */
function jump({ at }: Label, answer: string, from: number): string {
  const count = at - from - 1;
  if (count > 0) return String(count);
  return answer === 'success' ? 'ok' : 'ignore';
}
