/** Asks an sshd about many users on many connections, once about all that it answers alike. */
import type { Effective } from './effective.ts';
import type { SshdFiles } from './files.ts';
import { outcomes } from './outcomes.ts';
import { askServer, type Asked, type Question, type Refusal } from './run.ts';
import type { Server } from './servers.ts';
import type { Vantage } from './vantage.ts';

/** More questions than this take long. Where there are fewer, it is asked about each. */
const ASKED_ONE_BY_ONE = 500;

/** Called with the number of questions to come, then with the number of new answers. */
export interface Progress {
  readonly expect: (questions: number) => void;
  readonly progress: (answers: number) => void;
}

/** Users under their names, and connections. */
export interface Pairs {
  readonly names: readonly string[];
  readonly from: readonly Vantage[];
  /** Those of each name, where Match lines ask for groups. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
}

export interface Alike {
  /** What sshd says about each user, from each vantage. Equal answers are one object, and so are rows with the same ones where there are many. */
  readonly seen: readonly (readonly { readonly vantage: Vantage; readonly effective: Effective }[])[];
  /** The number of questions. */
  readonly asked: number;
}

export async function askAlike(
  server: Server,
  asked: Asked,
  pairs: Pairs,
  { blocks }: Pick<SshdFiles, 'blocks'>,
  { expect, progress }: Progress,
): Promise<Alike | Refusal> {
  const { names, from } = pairs;
  const rows = rowsOf(pairs, blocks);
  const questions = new Map<number, Question>();
  for (const [i, user] of names.entries())
    for (const [j, vantage] of from.entries()) {
      const number = rows[i]?.[j] ?? 0;
      if (!questions.has(number)) questions.set(number, { user, vantage });
    }
  expect(questions.size);
  const answers = await askServer(server, asked, [...questions.values()], progress);
  if ('refused' in answers) return answers;
  const told = new Map([...questions.keys()].map((number, i) => [number, answers[i]] as const));
  // Thousands of users may have one row.
  const seen = new Map(
    [...new Set(rows)].map((row) => {
      const all = from.flatMap((vantage, j) => {
        const effective = told.get(row[j] ?? 0);
        return effective === undefined ? [] : [{ vantage, effective }];
      });
      return [row, all] as const;
    }),
  );
  return { seen: rows.map((row) => seen.get(row) ?? []), asked: questions.size };
}

/** For each name a number for each vantage: the same for those pairs of which sshd is asked about one. */
function rowsOf({ names, from, groups }: Pairs, blocks: SshdFiles['blocks']): number[][] {
  if (blocks === undefined || names.length * from.length <= ASKED_ONE_BY_ONE)
    return names.map((_, i) => from.map((_vantage, j) => i * from.length + j));
  return outcomes(
    blocks,
    names.map((name) => ({ name, groups: groups.get(name) ?? [] })),
    from,
  );
}
