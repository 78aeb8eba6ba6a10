/** `notp pam` as a process, beside Node.js: the time it takes, and its instructions, which do not depend on what else the machine does. */
import { ON_DISK, type ClientOptions, type Host } from './host.ts';
import { cpu, inTurn, medianOf, quartiles, ratioOf, short, wall, type Case, type Chapter, type Ran } from './measure.ts';

const [PLAIN, BARE, VERSION, DECIDES, ASKS] = [
  'node -e 0',
  'node --jitless -e 0',
  'notp --version',
  'notp pam, which decides itself',
  'notp pam, which asks the warm judge',
];

const WHY = 'each process reads the heap of Node.js and of the doors from the snapshot, and runs it without a JIT compiler';

export async function alone(boot: () => Promise<Host>, rounds: number): Promise<Chapter> {
  const host = await boot();
  const pam = (): ClientOptions => ({ environment: pamVariables(host.alice.name), input: host.code('notp') });
  const processes: readonly (readonly [string, readonly string[], () => ClientOptions])[] = [
    [PLAIN, [`${ON_DISK}/node`, '-e', '0'], () => ({})],
    [BARE, [`${ON_DISK}/node`, '--jitless', '-e', '0'], () => ({})],
    [VERSION, ['/usr/bin/notp', '--version'], () => ({})],
    [DECIDES, ['/usr/bin/notp', 'pam'], () => ({ ...pam(), apart: true })],
    [ASKS, ['/usr/bin/notp', 'pam'], pam],
  ];
  const cases = processes.map(([name, command, options]): Case<Ran> => {
    return { name, once: async () => await host.client(['run', ...command], options()) };
  });
  const ran = await inTurn(cases, rounds);
  const counting = processes.map(([name, command, options]) => {
    return { name, once: async () => await host.instructions(command, options()) };
  });
  const counted = await inTurn(counting, Math.min(rounds, 3));
  return {
    title: 'The processes',
    text: `Each is started by a small process, ${String(rounds)} times in turn, \`notp pam\` with a right code for a host-sealed secret. Instructions are those of valgrind's callgrind, in millions: they hardly depend on the machine. The executable runs without a JIT compiler, as no memory may be both writable and executable. It is a start-up snapshot: its functions are compiled when it is built.`,
    columns: ['process', 'ms', 'quartiles', 'CPU ms', `ms to ${PLAIN}`, 'instructions', `to ${BARE}`],
    rows: processes.map(([name]) => [
      name,
      short(medianOf(ran, name, wall)),
      quartiles(ran, name, wall),
      short(medianOf(ran, name, cpu)),
      ratioOf(ran, [name, PLAIN], wall).toFixed(2),
      short(medianOf(counted, name, millions)),
      ratioOf(counted, [name, BARE], millions).toFixed(2),
    ]),
    targets: [
      { what: `${DECIDES}, to ${BARE} (instructions)`, most: 1.6, measured: ratioOf(counted, [DECIDES, BARE], millions), why: WHY },
      { what: `${VERSION} to ${PLAIN}`, most: 1.15, measured: ratioOf(ran, [VERSION, PLAIN], wall), why: WHY },
    ],
  };
}

function millions(instructions: number): number {
  return instructions / 1e6;
}

/** What pam_exec sets for `notp pam`. */
export function pamVariables(name: string): NodeJS.ProcessEnv {
  return { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: name };
}
