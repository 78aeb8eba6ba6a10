/** The tour of `npm run try`: what happens to a wrong code, a used one, a flood; recovery, the log and doctor. Each step is a real login or command. */
import { userInfo } from 'node:os';
import { codeOf, loginsAtOnce, loginWith, MARKER, recordsOf, say, show, stepOf, wrongCode, type Login, type Sandbox } from './sandbox.ts';

/** Guesses at once; alone, which is to be quick, only the one that takes the last try of the sandbox. */
const GUESSES = 8;
const GUESSES_ALONE = 1;

interface Step {
  readonly title: string;
  readonly why: string;
  /** Gives whether it went as it must. */
  readonly run: (sandbox: Sandbox, isWatched: boolean) => boolean | Promise<boolean>;
}

const STEPS: readonly Step[] = [
  {
    title: 'A wrong code',
    why: 'It is refused with a reason and a reference. The try was counted before the code was judged.',
    run: (sandbox) => isRefused(loginWith(sandbox, wrongCode(sandbox)), /code not accepted/),
  },
  {
    title: 'The same code twice',
    why: 'It lets in once. Whoever has read it over your shoulder comes too late.',
    run: (sandbox) => {
      const [code] = unusedCodes(sandbox);
      return isAccepted(loginWith(sandbox, code)) && isRefused(loginWith(sandbox, code), /code already used/);
    },
  },
  {
    title: 'A flood of guesses',
    why: 'After a few tries one code is not enough, not even the right one. Two in a row are: you are not locked out.',
    run: async (sandbox, isWatched) => {
      const guesses = isWatched ? GUESSES : GUESSES_ALONE;
      say(`$ # logins at once, each with another wrong code: ${String(guesses)}\n`);
      const entered = await loginsAtOnce(
        sandbox,
        Array.from({ length: guesses }, (_, i) => wrongCode(sandbox, i)),
      );
      say(`-> ${String(entered)} of ${String(guesses)} got in\n`);
      const [next, afterNext] = unusedCodes(sandbox);
      const alone = loginWith(sandbox, next);
      const both = loginWith(sandbox, `${next} ${afterNext}`);
      return entered === 0 && isRefused(alone, /two consecutive codes/) && isAccepted(both);
    },
  },
  {
    title: 'The phone is lost',
    why: 'A recovery code lets in, also while a flood goes on. Each works once.',
    run: (sandbox) => isAccepted(loginWith(sandbox, sandbox.recovery[0] ?? '')),
  },
  {
    title: 'The log',
    why: 'Each decision is a line that is chained to the one before. Take the reference of a refusal above: notp audit --ref REF.',
    run: (sandbox) => {
      const shown = [show(sandbox, 'audit'), show(sandbox, 'status')];
      return shown.every((status) => status === 0) && recordsOf(sandbox).some(({ event }) => event.startsWith('login.'));
    },
  },
  {
    title: 'What does sshd really do?',
    why: 'notp doctor reads the configuration as sshd does, and names each way around the code with its fix. Here it finds what a sandbox lacks.',
    run: (sandbox) => {
      // It exits with 1, as it finds something.
      return show(sandbox, 'doctor', '--user', userInfo().username, '--sshd-config', sandbox.sshd.config) === 1;
    },
  },
];

/**
 * Goes through the steps. `nextKey` waits for a key before each: `s` skips the step, `q` ends the tour; without it nobody is asked. Gives
 * whether all that ran went as it must.
 */
export async function tour(sandbox: Sandbox, nextKey?: () => Promise<string>): Promise<boolean> {
  const failed: string[] = [];
  for (const [i, { title, why, run }] of STEPS.entries()) {
    say(`\n${String(i + 1)}/${String(STEPS.length)} ${title}\n${why}\n`);
    if (nextKey !== undefined) say('[any key: show it, s: skip, q: end] ');
    const key = (await nextKey?.()) ?? '';
    if (nextKey !== undefined) say('\n');
    if (key === 'q') break;
    if (key !== 's' && !(await run(sandbox, nextKey !== undefined))) failed.push(title);
  }
  for (const title of failed) say(`\nThis is not as it must be: ${title}\n`);
  return failed.length === 0;
}

/** The two codes that come after all that were used: the sandbox takes some that the phone does not show yet. */
function unusedCodes(sandbox: Sandbox): readonly [string, string] {
  const used = recordsOf(sandbox).flatMap(({ time, step_offset: offset }) =>
    offset === undefined ? [] : [stepOf(Date.parse(time)) + offset],
  );
  const next = Math.max(stepOf(Date.now()), ...used) + 1;
  return [codeOf(sandbox, next), codeOf(sandbox, next + 1)];
}

function isAccepted({ status, stdout }: Login): boolean {
  return status === 0 && stdout === `${MARKER}\n`;
}

function isRefused({ status, stdout, stderr }: Login, why: RegExp): boolean {
  return status === 1 && stdout === '' && why.test(stderr);
}
