/**
 * Follows a PAM stack along every path, that is for every possible return value of its modules: can it succeed without the code?
 * The rules are those of libpam's dispatcher for pam_authenticate, see pam.conf(5). Pure.
 */
import { CONDITION, conditionOf, exemptsUnknown, type PamAccount } from './conditions.ts';
import { namedFailures, pairsOf } from './control.ts';
import { isFirstFactor, mayBeFactor, notpLine, type PamLine, type PamModule } from './stack.ts';

/** What a module returns. `new_authtok_reqd`: the password is right but must be changed. */
type Answer = 'success' | 'new_authtok_reqd' | 'failure' | 'ignore';
/** The state before a line: the stack's verdict so far (none, yes or no), and whether the code was right. */
interface State {
  readonly impression: 'none' | 'yes' | 'no';
  readonly code: boolean;
  /** The state of the first factor. The code must not be asked for after one that has failed. */
  readonly first: First;
  /** Whether a module has succeeded that may or may not check a first factor. */
  readonly unknown: boolean;
  /** The state of the first factor when the code was asked for; undefined if it was not. */
  readonly asked: First | undefined;
  /** The lines that led here and mattered, with their answers: one path of perhaps many, for people. */
  readonly path: string;
}
/** `failed`: one did not pass, and another still may; `refused`: none can any more. `perhaps`: by a module that may or may not check one. */
export type First = 'none' | 'failed' | 'passed' | 'refused' | 'perhaps failed' | 'perhaps passed' | 'perhaps refused';
/** The state after a (sub)stack; `ended`: a `done` or `die` has ended the outermost stack. */
interface After extends State {
  readonly ended: boolean;
}

/** A question about a stack: what its modules are assumed to return. */
export interface Question {
  /** Whether `--first-pass` may succeed, as it does only before any method has succeeded. `surely`: it always succeeds. */
  readonly firstPass: boolean | 'surely';
  /** What the code line may return. */
  readonly code: readonly Answer[];
  /** The accounts that conditions may exempt. Undefined: none; `unknown`: any, by conditions that notp cannot read; `anybody`: any. */
  readonly exempt?: PamAccount | 'unknown' | 'anybody' | undefined;
  /** Whether it is about pam_setcred(3) in place of pam_authenticate(3). */
  readonly credentials?: boolean;
}

/** Whether the stack can succeed although the code line never did. */
export function opensWithoutCode(lines: readonly PamLine[], question: Omit<Question, 'code'>): boolean {
  return pathsWithoutCode(lines, question).length > 0;
}

/** The paths on which it does, at least one for each line that can end them: "FILE:LINE module.so success, …". */
export function pathsWithoutCode(lines: readonly PamLine[], { firstPass, exempt }: Omit<Question, 'code'>): string[] {
  const ends = pathsThrough(lines, { firstPass, exempt, code: ['failure'] });
  return [...new Set(ends.flatMap(({ impression, code, path }) => (impression === 'yes' && !code ? [path] : [])))];
}

/**
 * Whether the first pass, to which `--first-pass` leads, can succeed without a first factor. `factor`: on some path none has passed;
 * `known factor`: on some path only modules that notp does not know have. Undefined: every successful path checks a first factor.
 */
export function branchOpensWithout(
  lines: readonly PamLine[],
): { readonly without: 'factor' | 'known factor'; readonly path: string } | undefined {
  const open = pathsThrough(lines, { firstPass: 'surely', code: ['success', 'failure'] }).filter(
    ({ impression, first }) => impression === 'yes' && first !== 'passed',
  );
  const worst = open.find(({ unknown }) => !unknown) ?? open[0];
  return worst && { without: worst.unknown ? 'known factor' : 'factor', path: worst.path };
}

/** The possible states of the first factor when the code is asked for, over all paths. */
export function firstsBeforeCode(lines: readonly PamLine[]): ReadonlySet<First> {
  return new Set(
    pathsThrough(lines, { firstPass: true, exempt: 'anybody', code: ['success', 'failure'] }).flatMap(({ asked }) => asked ?? []),
  );
}

/** Whether the code can be asked for, and so be checked and spent, although the first factor has failed. */
export function asksAfterFailure(lines: readonly PamLine[]): boolean {
  return [...firstsBeforeCode(lines)].some(isLate);
}

function isLate(first: First | undefined): boolean {
  return first === 'failed' || first === 'refused';
}

/** The verdicts with which the stack can reach its last line, over all paths and for all accounts. */
export function endsOf(lines: readonly PamLine[]): ReadonlySet<State['impression']> {
  const ends = pathsThrough(lines, { firstPass: true, exempt: 'anybody', code: ['failure'] });
  return new Set(ends.flatMap(({ impression, ended }) => (ended ? [] : [impression])));
}

/** Whether the stack can succeed at all with the right code. */
export function opensWithCode(lines: readonly PamLine[]): boolean {
  return pathsThrough(lines, { firstPass: false, code: ['success'] }).some(({ impression, code }) => impression === 'yes' && code);
}

/** Whether any path through the lines ends in success, whatever their phase. */
export function canSucceed(lines: readonly PamLine[]): boolean {
  return pathsThrough(lines, { firstPass: true, exempt: 'anybody', code: ['success', 'failure'] }).some(
    ({ impression }) => impression === 'yes',
  );
}

/**
 * Whether pam_setcred can succeed, which sshd calls in another process than pam_authenticate: each module answers anew, as its own
 * pam_sm_setcred does.
 */
export function setsCredentials(lines: readonly PamLine[]): boolean {
  return pathsThrough(lines, { firstPass: false, exempt: 'anybody', code: ['failure'], credentials: true }).some(
    ({ impression }) => impression === 'yes',
  );
}

function pathsThrough(lines: readonly PamLine[], question: Question): After[] {
  return walk(lines, [{ impression: 'none', code: false, first: 'none', unknown: false, asked: undefined, path: '' }], question);
}

/** All states after `lines`, each once. There are few states and jumps only go forward, so each line is visited once for each state. */
function walk(lines: readonly PamLine[], before: readonly State[], question: Question): After[] {
  const places = [...lines, undefined].map(() => new Map<string, State>());
  const ended = new Map<string, After>();
  const reach = (place: number, state: State): void => {
    // A jump past the last line is a refusal.
    if (place > lines.length) reach(lines.length, { ...state, impression: 'no' });
    else if (places[place]?.has(keyOf(state)) === false) places[place].set(keyOf(state), state);
  };
  for (const state of before) reach(0, state);
  // `reset` restores the verdict before the substack.
  const resets = [...new Set(before.map(({ impression }) => impression))];
  for (const [i, line] of lines.entries()) {
    const here = [...(places[i]?.values() ?? [])];
    // `done` and `die` end the substack alone.
    if (line.kind === 'substack') for (const state of walk(line.lines, here, question)) reach(i + 1, state);
    else
      for (const { next, state } of here.flatMap((from) => stepsFrom(from, line, { question, resets })))
        if (next === 'end') ended.set(`${keyOf(state)} ${String(i)}`, { ...state, ended: true });
        else reach(i + 1 + next, state);
  }
  return [...ended.values(), ...[...(places.at(-1)?.values() ?? [])].map((state) => ({ ...state, ended: false }))];
}

function keyOf({ impression, code, first, unknown, asked }: State): string {
  return [impression, code, first, unknown, asked].join(' ');
}

/** The states that can follow `soon` after `line`, and how far each jumps. */
function stepsFrom(
  from: State,
  line: PamModule,
  { question, resets }: { question: Question; resets: readonly State['impression'][] },
): { next: number | 'end'; state: State }[] {
  return stepsOf(line, question).flatMap(([answer, action]) => {
    if (action === 'reset') return resets.map((impression) => ({ next: 0, state: stateAfter(from, line, { answer, impression }) }));
    const { impression, next } = act(action, answer, from.impression);
    return [{ next, state: stateAfter(from, line, { answer, impression }) }];
  });
}

function stateAfter(from: State, line: PamModule, { answer, impression }: { answer: Answer; impression: State['impression'] }): State {
  // A line that asks for nothing where a rule says so has to stand where the code may be asked for.
  const isCode = ['code', 'before'].includes(notpLine(line) ?? '');
  return {
    impression,
    code: from.code || (isCode && answer === 'success'),
    asked: isCode && !isLate(from.asked) ? from.first : from.asked,
    first: firstAfter(from.first, line, { answer, refuses: impression === 'no' && answer === 'failure' }),
    unknown: from.unknown || (isPassed(answer) && mayBeFactor(line)),
    path: [from.path, ...(isPassed(answer) ? [`${line.where} ${line.module} ${answer}`] : [])].filter((each) => each !== '').join(', '),
  };
}

function firstAfter(first: First, line: PamModule, { answer, refuses }: { answer: Answer; refuses: boolean }): First {
  if (first === 'refused') return first;
  if (mayBeFactor(line)) return perhapsAfter(first, { answer, refuses });
  if (!isFirstFactor(line) && !REFUSING.has(line.module)) return first;
  if (refuses) return 'refused';
  if (!isFirstFactor(line) || first === 'passed' || first === 'perhaps refused') return first;
  return isPassed(answer) ? 'passed' : 'failed';
}

/** As firstAfter(), for a module that notp does not know. */
function perhapsAfter(first: First, { answer, refuses }: { answer: Answer; refuses: boolean }): First {
  if (refuses) return 'perhaps refused';
  if (first === 'passed' || first === 'perhaps refused') return first;
  if (isPassed(answer)) return 'perhaps passed';
  return first === 'none' && answer === 'failure' ? 'perhaps failed' : first;
}

function isPassed(answer: Answer): boolean {
  return answer === 'success' || answer === 'new_authtok_reqd';
}

/** Modules that refuse because a first factor has failed or must not be tried. */
const REFUSING: ReadonlySet<string> = new Set(['pam_deny.so', 'pam_faillock.so', 'pam_tally2.so']);

/** Each value that the line may return, with its action. */
function stepsOf(line: PamModule, question: Question): (readonly [Answer, string])[] {
  const { exempt } = question;
  const holds = typeof exempt === 'object' ? conditionOf(line)?.(exempt) : undefined;
  if (holds === true) return actionsOf(line, 'success').map((action) => ['success', action]);
  if (holds === false) return [['failure', pairsOf(line.control).get('auth_err') ?? defaultActionOf(line)]];
  const isNamed = exempt === 'anybody' ? line.module === CONDITION : exempt === 'unknown' && exemptsUnknown(line);
  const named = isNamed ? namedFailures(line.control) : [];
  const steps = answersOf(line, question).flatMap((answer) => actionsOf(line, answer).map((action) => [answer, action] as const));
  return [...steps, ...named.map(([, action]) => ['failure', action] as const)];
}

function answersOf(line: PamModule, question: Question): readonly Answer[] {
  if (question.credentials === true) return SETCRED[line.module] ?? ['success', 'ignore'];
  switch (notpLine(line)) {
    case 'code':
      return question.code;
    case 'before':
      // Where it succeeds, a rule has let somebody in. The stack must not depend on that.
      return question.code.includes('failure') ? ['success', 'failure'] : ['failure'];
    case 'first-pass':
      if (question.firstPass === 'surely') return ['success'];
      return question.firstPass ? ['success', 'failure'] : ['failure'];
    case 'other':
    case undefined:
      return (
        FIXED[line.module] ?? [
          ...['success' as const, 'failure' as const],
          ...(question.firstPass === 'surely' && isPlain(line) ? [] : ['ignore' as const]),
          ...(leadsOnExpired(line) ? ['new_authtok_reqd' as const] : []),
        ]
      );
  }
}

/**
 * Whether the control has a special action for a password that must be changed. With the action ok, as in `required` and the other words,
 * the stack refuses in the end; if the control does not name it, it is treated like a failure.
 */
function leadsOnExpired({ control }: PamModule): boolean {
  return !['ok', 'done', undefined].includes(pairsOf(control).get('new_authtok_reqd'));
}

/** A module for a first factor never returns ignore, unless an option allows it. */
function isPlain(line: PamModule): boolean {
  return (isFirstFactor(line) || mayBeFactor(line)) && !line.words.some((word) => /^(ignore_|nouserok)/.test(word));
}

/** What the modules answer in pam_setcred, unless they may do either. */
const SETCRED: Readonly<Record<string, readonly Answer[]>> = {
  'pam_deny.so': ['failure'],
  ...Object.fromEntries(
    ['exec', 'echo', 'succeed_if', 'faildelay', 'warn', 'localuser', 'listfile', 'access', 'nologin', 'shells'].map((name) => [
      `pam_${name}.so`,
      ['ignore'],
    ]),
  ),
};

/** Modules whose return value is fixed. */
const FIXED: Readonly<Record<string, readonly Answer[]>> = {
  'pam_permit.so': ['success'],
  'pam_deny.so': ['failure'],
  'pam_echo.so': ['success', 'ignore'],
  'pam_faildelay.so': ['ignore'],
  'pam_warn.so': ['ignore'],
};

/**
 * The action for an answer: `ok`, `done`, `bad`, `die`, `ignore`, `reset` or a number of lines to jump over. A failure can have several, if
 * the control names single failures.
 */
export function actionsOf({ control, module }: Pick<PamModule, 'control' | 'module'>, answer: Answer): string[] {
  const byDefault = defaultActionOf({ control });
  if (answer !== 'failure') return [pairsOf(control).get(answer) ?? byDefault];
  // A condition that names a failure only selects the accounts that need a code. It is not a way past the code for them.
  const named = module === CONDITION ? [] : namedFailures(control).map(([, action]) => action);
  return [...new Set([...named, byDefault])];
}

function defaultActionOf({ control }: Pick<PamModule, 'control'>): string {
  return pairsOf(control).get('default') ?? 'bad';
}

function act(action: string, answer: Answer, before: State['impression']): { impression: State['impression']; next: number | 'end' } {
  switch (action) {
    case 'ok':
    case 'done': {
      // If another answer has the action ok, the stack returns that status, which is not a success.
      const impression = answer === 'success' && before !== 'no' ? 'yes' : 'no';
      return { impression, next: action === 'done' && impression === 'yes' ? 'end' : 0 };
    }
    case 'bad':
      return { impression: 'no', next: 0 };
    case 'die':
      return { impression: 'no', next: 'end' };
    default:
      return { impression: before, next: /^\d+$/.test(action) ? Number(action) : 0 };
  }
}
