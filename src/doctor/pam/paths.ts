/**
 * What a PAM stack comes to, over every way that its modules may answer: whether it can succeed without the code.
 * The rules are those of libpam's dispatcher for pam_authenticate, see pam.conf(5). Pure.
 */
import { CONDITION, conditionOf, exemptsUntold, type Who } from './conditions.ts';
import { namedFailures, pairsOf } from './control.ts';
import { isFirstFactor, mayBeFactor, notpLine, type PamLine, type PamModule } from './stack.ts';

/** `new_authtok_reqd`: the password is right, and has to be changed. */
type Answer = 'success' | 'new_authtok_reqd' | 'failure' | 'ignore';
/** What the stack says so far: nothing, yes, or no; and whether the code was right. */
interface Soon {
  readonly impression: 'none' | 'yes' | 'no';
  readonly code: boolean;
  /** Whether a first factor has passed, or was refused for good: what the code line must not come after. */
  readonly first: First;
  /** A module has said yes of which notp does not know whether it takes a first factor. */
  readonly unknown: boolean;
  /** What the code was asked for behind, where it was. */
  readonly asked: First | undefined;
}
/** `failed`: one did not pass, and another still may. `perhaps`: so it is with a module of which notp does not know whether it takes one. */
export type First = 'none' | 'failed' | 'passed' | 'refused' | 'perhaps failed' | 'perhaps passed' | 'perhaps refused';
/** The state after a (sub)stack; `ended`: a module of the outermost stack has spoken the last word. */
interface After extends Soon {
  readonly ended: boolean;
}

/** What the modules may answer for a question. */
export interface Question {
  /** Whether `--first-pass` may say yes: only before any method has succeeded. `surely`: it says nothing else. */
  readonly firstPass: boolean | 'surely';
  /** How notp may answer. */
  readonly code: readonly Answer[];
  /** Whom conditions may exempt: nobody where it is undefined, an account, whoever is meant by those that cannot be told, or by any. */
  readonly exempt?: Who | 'untold' | 'anybody' | undefined;
}

/** Whether the stack can say yes although notp never did. */
export function opensWithoutCode(lines: readonly PamLine[], { firstPass, exempt }: Omit<Question, 'code'>): boolean {
  const ends = ways(lines, { firstPass, exempt, code: ['failure'] });
  return ends.some(({ impression, code }) => impression === 'yes' && !code);
}

/**
 * What the pass for the first factor, to which `--first-pass` leads, can say yes without: `factor` where no first factor has passed in one
 * of its ways, `known factor` where only modules that notp does not know have. Undefined where each way to yes goes by a first factor.
 */
export function branchOpensWithout(lines: readonly PamLine[]): 'factor' | 'known factor' | undefined {
  const open = ways(lines, { firstPass: 'surely', code: ['success', 'failure'] }).filter(
    ({ impression, first }) => impression === 'yes' && first !== 'passed',
  );
  if (open.length === 0) return undefined;
  return open.every(({ unknown }) => unknown) ? 'known factor' : 'factor';
}

/** What the code can be asked for behind, over all ways that come to it. */
export function firstsBeforeCode(lines: readonly PamLine[]): ReadonlySet<First> {
  return new Set(ways(lines, { firstPass: true, exempt: 'anybody', code: ['success', 'failure'] }).flatMap(({ asked }) => asked ?? []));
}

/** Whether the code can be asked for, and so be judged and spent, although the first factor has failed. */
export function asksAfterFailure(lines: readonly PamLine[]): boolean {
  return [...firstsBeforeCode(lines)].some(isLate);
}

function isLate(first: First | undefined): boolean {
  return first === 'failed' || first === 'refused';
}

/** What the stack has said where it comes to its end, over all ways that do, whomever its conditions lead there. */
export function endsOf(lines: readonly PamLine[]): ReadonlySet<Soon['impression']> {
  const ends = ways(lines, { firstPass: true, exempt: 'anybody', code: ['failure'] });
  return new Set(ends.flatMap(({ impression, ended }) => (ended ? [] : [impression])));
}

/** Whether it can say yes at all with the right code. */
export function opensWithCode(lines: readonly PamLine[]): boolean {
  return ways(lines, { firstPass: false, code: ['success'] }).some(({ impression, code }) => impression === 'yes' && code);
}

function ways(lines: readonly PamLine[], question: Question): After[] {
  return walk(lines, [{ impression: 'none', code: false, first: 'none', unknown: false, asked: undefined }], question);
}

/** All states after `lines`, each once. There are few different ones, and jumps lead forward alone, so each line is looked at once for each of them. */
function walk(lines: readonly PamLine[], before: readonly Soon[], question: Question): After[] {
  const places = [...lines, undefined].map(() => new Map<string, Soon>());
  const ended = new Map<string, After>();
  const reach = (place: number, state: Soon): void => {
    // A jump that leads past the last line is a refusal.
    if (place > lines.length) reach(lines.length, { ...state, impression: 'no' });
    else places[place]?.set(keyOf(state), state);
  };
  for (const state of before) reach(0, state);
  // `reset` goes back to what was said before the substack.
  const resets = [...new Set(before.map(({ impression }) => impression))];
  for (const [i, line] of lines.entries()) {
    const here = [...(places[i]?.values() ?? [])];
    // `done` and `die` end the substack alone.
    if (line.kind === 'substack') for (const state of walk(line.lines, here, question)) reach(i + 1, state);
    else
      for (const { next, state } of here.flatMap((soon) => stepsFrom(soon, line, { question, resets })))
        if (next === 'end') ended.set(keyOf(state), { ...state, ended: true });
        else reach(i + 1 + next, state);
  }
  return [...ended.values(), ...[...(places.at(-1)?.values() ?? [])].map((state) => ({ ...state, ended: false }))];
}

function keyOf({ impression, code, first, unknown, asked }: Soon): string {
  return [impression, code, first, unknown, asked].join(' ');
}

/** Where a line leads to from a state. */
function stepsFrom(
  soon: Soon,
  line: PamModule,
  { question, resets }: { question: Question; resets: readonly Soon['impression'][] },
): { next: number | 'end'; state: Soon }[] {
  return stepsOf(line, question).flatMap(([answer, action]) => {
    if (action === 'reset') return resets.map((impression) => ({ next: 0, state: stateAfter(soon, line, { answer, impression }) }));
    const { impression, next } = act(action, answer, soon.impression);
    return [{ next, state: stateAfter(soon, line, { answer, impression }) }];
  });
}

function stateAfter(soon: Soon, line: PamModule, { answer, impression }: { answer: Answer; impression: Soon['impression'] }): Soon {
  const isCode = notpLine(line) === 'code';
  return {
    impression,
    code: soon.code || (isCode && answer === 'success'),
    asked: isCode && !isLate(soon.asked) ? soon.first : soon.asked,
    first: firstAfter(soon.first, line, { answer, refuses: impression === 'no' && answer === 'failure' }),
    unknown: soon.unknown || (isPassed(answer) && mayBeFactor(line)),
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

/** After a module that notp does not know. */
function perhapsAfter(first: First, { answer, refuses }: { answer: Answer; refuses: boolean }): First {
  if (refuses) return 'perhaps refused';
  if (first === 'passed' || first === 'perhaps refused') return first;
  if (isPassed(answer)) return 'perhaps passed';
  return first === 'none' && answer === 'failure' ? 'perhaps failed' : first;
}

function isPassed(answer: Answer): boolean {
  return answer === 'success' || answer === 'new_authtok_reqd';
}

/** Modules that say no for a first factor that has failed, or is not to be asked for. */
const REFUSING: ReadonlySet<string> = new Set(['pam_deny.so', 'pam_faillock.so', 'pam_tally2.so']);

/** Each answer that the line may give, and what follows from it. */
function stepsOf(line: PamModule, question: Question): (readonly [Answer, string])[] {
  const { exempt } = question;
  const holds = typeof exempt === 'object' ? conditionOf(line)?.(exempt) : undefined;
  if (holds === true) return actionsOf(line, 'success').map((action) => ['success', action]);
  if (holds === false) return [['failure', pairsOf(line.control).get('auth_err') ?? standardOf(line)]];
  const isNamed = exempt === 'anybody' ? line.module === CONDITION : exempt === 'untold' && exemptsUntold(line);
  const named = isNamed ? namedFailures(line.control) : [];
  const steps = answersOf(line, question).flatMap((answer) => actionsOf(line, answer).map((action) => [answer, action] as const));
  return [...steps, ...named.map(([, action]) => ['failure', action] as const)];
}

function answersOf(line: PamModule, question: Question): readonly Answer[] {
  switch (notpLine(line)) {
    case 'code':
      return question.code;
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
 * Whether the control leads somewhere of its own where the password has to be changed. Called ok, as by `required` and the other words, that
 * refuses in the end; without a name it is one of the failures.
 */
function leadsOnExpired({ control }: PamModule): boolean {
  return !['ok', 'done', undefined].includes(pairsOf(control).get('new_authtok_reqd'));
}

/** A first factor never passes for one that is not asked for, unless it is told to. */
function isPlain(line: PamModule): boolean {
  return (isFirstFactor(line) || mayBeFactor(line)) && !line.words.some((word) => /^(ignore_|nouserok)/.test(word));
}

/** Modules that always answer the same. */
const FIXED: Readonly<Record<string, readonly Answer[]>> = {
  'pam_permit.so': ['success'],
  'pam_deny.so': ['failure'],
  'pam_echo.so': ['success', 'ignore'],
  'pam_faildelay.so': ['ignore'],
  'pam_warn.so': ['ignore'],
};

/**
 * What follows from an answer: `ok`, `done`, `bad`, `die`, `ignore`, `reset` or a number of lines to jump over. Several for a failure, where
 * the control tells failures apart.
 */
export function actionsOf({ control, module }: Pick<PamModule, 'control' | 'module'>, answer: Answer): string[] {
  const standard = standardOf({ control });
  if (answer !== 'failure') return [pairsOf(control).get(answer) ?? standard];
  // A condition that names an answer tells apart for whom the code was set up, which is no way for those.
  const named = module === CONDITION ? [] : namedFailures(control).map(([, action]) => action);
  return [...new Set([...named, standard])];
}

function standardOf({ control }: Pick<PamModule, 'control'>): string {
  return pairsOf(control).get('default') ?? 'bad';
}

function act(action: string, answer: Answer, before: Soon['impression']): { impression: Soon['impression']; next: number | 'end' } {
  switch (action) {
    case 'ok':
    case 'done': {
      // Any other answer that is called ok leaves its own status, which is no success.
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
