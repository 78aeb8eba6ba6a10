/**
 * `npm run bench:storm`: what a storm of logins on one host costs the PostgreSQL server, straight and through PgBouncer, in turn in one run.
 * usage: login-storm.ts [people, 60] [rounds, 3]
 */
import { markdownTable } from '../support/markdown.ts';
import { stormWorld } from '../support/login-storm.ts';

const [people = 60, rounds = 3] = process.argv.slice(2).map(Number);
const world = await stormWorld('bench', people);
const rows: string[][] = [];
for (let round = 0; round < rounds; round++) {
  for (const how of ['straight', 'pooled'] as const) {
    const { ran, ms, connections } = await world.storm(how);
    const refused = ran.filter(({ code }) => code !== 0).length;
    rows.push([how, String(people), String(refused), String(connections), (ms / 1000).toFixed(2)]);
  }
}
process.stdout.write(markdownTable(['how', 'logins at once', 'refused', 'connections to the server', 'seconds'], rows));
