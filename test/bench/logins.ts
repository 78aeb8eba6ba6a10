/** Whole logins, by the real client through a real sshd, as the package sets them up. */
import { sleep } from '../support/process.ts';
import type { Door } from './doors.ts';
import type { Host } from './host.ts';
import { inTurn, medianOf, quartiles, ratioOf, short, type Case, type Chapter } from './measure.ts';

const KEY_ONLY = 'key only';
const GOOGLE = 'key + pam_google_authenticator';
const [WARM, COLD] = ['key + notp pam, judge warm', 'key + notp pam, judge cold'];
const GATE = 'key + notp gate, service warm';
/** How long the person types. */
const THINK_S = 2;
const WHY_PAM = 'pam_exec starts notp pam, a process of Node.js, after the answer; what asks the judge would have to be smaller';
const WHY_GATE = 'notp gate, a process of Node.js, starts before the prompt, and asks the service first';
/** systemd and sshd tidy up for a moment after a service or a login has ended. */
const SETTLE_MS = 500;

interface Login {
  /** Milliseconds from the connection to the prompt; 0 where there is none. */
  readonly prompt: number;
  /** From the answer, or from the connection where there is no prompt, to the shell. */
  readonly answer: number;
}

function prompt(login: Login): number {
  return login.prompt;
}

function answer(login: Login): number {
  return login.answer;
}

function whole(login: Login): number {
  return login.prompt + login.answer;
}

export async function logins(boot: () => Promise<Host>, rounds: number): Promise<Chapter> {
  const host = await boot();
  const user = `notp@${String(host.alice.uid)}.service`;
  const systemctl = (verb: string, unit: string) => async (): Promise<unknown> => await host.container.must(['systemctl', verb, unit]);
  const doors: readonly (readonly [string, Door, string, (() => Promise<unknown>)?])[] = [
    [KEY_ONLY, 'key', 'nobody'],
    [GOOGLE, 'google', 'google'],
    ['key + pam_oath', 'oath', 'oath'],
    ['key + pam_exec with true', 'exec', 'nobody'],
    ['key + notp pam, no systemd', 'self', 'notp'],
    [WARM, 'notp', 'notp', systemctl('start', 'notp@judge.service')],
    [COLD, 'notp', 'notp', systemctl('stop', 'notp@judge.service')],
    [GATE, 'gate', 'notp', systemctl('start', user)],
    ['key + notp gate, service cold', 'gate', 'notp', systemctl('stop', user)],
  ];
  const measured = async (thinkS: number): Promise<ReadonlyMap<string, readonly Login[]>> => {
    const cases = doors.map(([name, door, asked, prepare]): Case<Login> => {
      const once = async (): Promise<Login> => await host.client(['login', String(thinkS), host.code(asked), ...host.loginAt(door)]);
      const settled = async (): Promise<void> => {
        await prepare?.();
        await sleep(SETTLE_MS);
      };
      return { name, once, prepare: settled };
    });
    return await inTurn(cases, rounds);
  };
  const [later, atOnce] = [await measured(THINK_S), await measured(0)];
  const names = doors.map(([name]) => name);
  // Without a prompt there is one part.
  const parts = (of: ReadonlyMap<string, readonly Login[]>, name: string): number[] =>
    (name === KEY_ONLY ? [answer] : [prompt, answer]).map((part) => medianOf(of, name, part));
  return {
    title: 'A whole login',
    text: `\`ssh -tt\` on loopback with one command, in milliseconds, ${String(rounds)} of each in turn: from the start of ssh to the prompt, and from the answer to the output of the command. The code is typed ${String(THINK_S)} s after the prompt, which do not count; in the last column, of prompt and answer, it is typed at once. Each code is a new one, and each module writes its state for it. The doors of notp are as \`notp setup\` writes them. pam_exec with true is what starting any process costs. A warm judge (or service) runs when the login begins, a cold one is started by it. Without systemd there is no judge, and \`notp pam\` decides itself.`,
    columns: ['login', 'prompt', 'answer', 'whole', 'quartiles', `to ${KEY_ONLY}`, 'to pam_google_authenticator', 'at once'],
    rows: names.map((name) => [
      name,
      ...[prompt, answer].map((part) => short(medianOf(later, name, part))),
      short(medianOf(later, name, whole)),
      quartiles(later, name, whole),
      ratioOf(later, [name, KEY_ONLY], whole).toFixed(2),
      ratioOf(later, [name, GOOGLE], whole).toFixed(2),
      parts(atOnce, name).map(short).join(' + '),
    ]),
    targets: [
      {
        what: 'whole login, judge cold, to pam_google_authenticator',
        most: 1.35,
        measured: ratioOf(later, [COLD, GOOGLE], whole),
        why: WHY_PAM,
      },
      {
        what: 'whole login, judge warm, to pam_google_authenticator',
        most: 1.3,
        measured: ratioOf(later, [WARM, GOOGLE], whole),
        why: WHY_PAM,
      },
      {
        what: 'whole login at the gate, service warm, to key only',
        most: 1.25,
        measured: ratioOf(later, [GATE, KEY_ONLY], whole),
        why: WHY_GATE,
      },
    ],
    bars: names.map((name) => ({ name, parts: parts(later, name), whole: medianOf(later, name, whole) })),
  };
}
