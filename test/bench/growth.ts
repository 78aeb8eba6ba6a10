/** How the commands for an administrator grow with the number of users, each size on a host of its own. */
import { filesOf, addPeople } from './files.ts';
import { bootPackage, CLIENT, type Host } from './host.ts';
import { short, type Chapter, type Ran } from './measure.ts';

const [FEW, MANY] = [1_000, 10_000];
/** Users besides, who are enrolled one by one: the first half before the others are. */
const ONE_BY_ONE = 6;
const COMMANDS: Readonly<Record<string, string>> = {
  // Each user gets a socket.
  'notp-enroll --batch': 'notp-enroll --batch /root/users --out /root/handouts',
  'notp list --all': 'notp list --all',
  'notp host-key rotate': 'notp host-key rotate',
  'notp reseal --all': 'notp reseal --all',
  // It exits with 1 where it finds something: here that no door is open.
  'notp doctor': 'notp doctor; [ $? -le 1 ]',
};

/** Why a command may grow faster than its work. */
const WHY: Readonly<Record<string, string>> = {
  'notp-enroll --batch': 'systemd takes longer to start a socket the more there are',
};

interface Grown {
  /** Milliseconds. */
  readonly commands: Readonly<Record<string, number>>;
  /** Of one notp-enroll, before the others were enrolled and afterwards. */
  readonly before: number;
  readonly after: number;
}

export async function growth(_: () => Promise<Host>, rounds: number): Promise<Chapter> {
  // One round is only a check that it works.
  const [few, many] = rounds > 1 ? [FEW, MANY] : [FEW / 100, MANY / 100];
  const [one, other] = [await grownTo(few), await grownTo(many)];
  const exponent = (name: string): number => Math.log10((other.commands[name] ?? NaN) / (one.commands[name] ?? NaN));
  const names = Object.keys(COMMANDS);
  const sockets = few.toLocaleString('en');
  return {
    title: 'Many users',
    text: `In seconds, once each. With an exponent of 1 ten times the users take ten times as long, with 0 as long as before. One \`notp-enroll\` took ${short(one.before)} ms without another socket and ${short(one.after)} ms beside ${sockets} sockets.`,
    columns: ['command', ...[few, many].map((size) => `${size.toLocaleString('en')} users`), 'exponent'],
    rows: names.map((name) => [
      ...[name, ...[one, other].map(({ commands }) => ((commands[name] ?? NaN) / 1000).toFixed(2))],
      exponent(name).toFixed(2),
    ]),
    targets: [
      { what: `one notp-enroll beside ${sockets} sockets to one without`, most: 1.2, measured: one.after / one.before },
      ...names.map((name) => ({
        what: `${name}, exponent`,
        most: 1.1,
        measured: exponent(name),
        ...(WHY[name] === undefined ? {} : { why: WHY[name] }),
      })),
    ],
  };
}

async function grownTo(size: number): Promise<Grown> {
  const container = await bootPackage('growth');
  const names = addPeople(container, size + ONE_BY_ONE).map(({ name }) => name);
  const run = async (...words: string[]): Promise<number> => {
    const printed = await container.must(['python3', CLIENT, 'run', ...words], { timeoutMs: 3_600_000 });
    return (JSON.parse(printed) as Ran).wall;
  };
  const enrolled = async (users: readonly string[]): Promise<number> => {
    const took: number[] = [];
    for (const user of users) took.push(await run('notp-enroll', user, '--no-confirm', '--json'));
    return Math.min(...took);
  };
  filesOf(container).write('/root/users', names.slice(ONE_BY_ONE).join('\n'));
  const before = await enrolled(names.slice(0, ONE_BY_ONE / 2));
  const commands: Record<string, number> = {};
  for (const [name, command] of Object.entries(COMMANDS)) commands[name] = await run('sh', '-c', command);
  const after = await enrolled(names.slice(ONE_BY_ONE / 2, ONE_BY_ONE));
  await container.stop();
  return { commands, before, after };
}
