/** The alerts, the dashboard and the manual name the metrics that there are; promtool takes the alerts, and each fires when it should. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from '../../support/process.ts';
import { LONG } from '../../trials/trial.ts';
import { scratchFolder } from '../../support/world.ts';

const RULES = path.join(ROOT, 'examples/prometheus/notp.rules.yml');
const TESTS = path.join(import.meta.dirname, 'rules.promtool.yml');
const DASHBOARD = path.join(ROOT, 'examples/grafana/notp.json');
const COUNTERS = ['notp_decisions', 'notp_changes'];

/** The names of all samples, by what src/commands/metrics/families.ts makes. */
const NAMES = new Set(
  [...fs.readFileSync(path.join(ROOT, 'src/commands/metrics/families.ts'), 'utf8').matchAll(/'(notp_\w+)'/g)].map(([, name = '']) =>
    COUNTERS.includes(name) ? `${name}_total` : name,
  ),
);

function namesIn(text: string): readonly string[] {
  return [...new Set(text.match(/\bnotp_\w+/g))];
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

describe('the examples for monitoring', () => {
  it('and the manual name only metrics that there are, and the manual and the dashboard name all', () => {
    assert.ok(NAMES.size > 10);
    for (const file of [RULES, DASHBOARD, TESTS])
      for (const name of namesIn(fs.readFileSync(file, 'utf8'))) assert.ok(NAMES.has(name), name);
    const told = [...fs.readFileSync(path.join(ROOT, 'man/notp-metrics.8'), 'utf8').matchAll(/^\.It Va (notp_\w+)$/gm)];
    assert.deepEqual(told.map(([, name = '']) => name).toSorted(), [...NAMES].toSorted());
    const shown = namesIn(fs.readFileSync(DASHBOARD, 'utf8'));
    assert.deepEqual(shown.toSorted(), [...NAMES].toSorted());
  });

  it('have a dashboard that Grafana can import: data source and host to choose, panels with queries that do not overlap', () => {
    const { title, uid, schemaVersion, panels, templating } = JSON.parse(fs.readFileSync(DASHBOARD, 'utf8')) as {
      readonly title: string;
      readonly uid: string;
      readonly schemaVersion: number;
      readonly panels: readonly Panel[];
      readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
    };
    assert.deepEqual([title, uid, schemaVersion], ['notp', 'notp', 38]);
    assert.deepEqual(
      templating.list.map(({ name, type }) => [name, type]),
      [
        ['source', 'datasource'],
        ['instance', 'query'],
      ],
    );
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const cells = new Set<string>();
    for (const { title: name, type, datasource, gridPos, targets } of panels) {
      assert.ok(name !== '' && ['stat', 'timeseries'].includes(type) && targets.length > 0, name);
      assert.deepEqual(datasource, { type: 'prometheus', uid: '${source}' });
      assert.ok(gridPos.x + gridPos.w <= 24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!cells.has(`${String(x)} ${String(y)}`), name);
          cells.add(`${String(x)} ${String(y)}`);
        }
      }
      for (const { expr } of targets) assert.match(expr, /\{instance=~"\$instance"/, name);
    }
  });

  // It comes with Prometheus, which takes 100 MB: only the long run has it installed.
  if (LONG || fs.existsSync('/usr/bin/promtool'))
    describe('for promtool', () => {
      it('takes the alerts, and each fires and stays silent when it should', async () => {
        const checked = await run(['promtool', 'check', 'rules', RULES]);
        assert.equal(checked.code, 0, checked.stdout + checked.stderr);
        const alerts = [...fs.readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
        assert.match(checked.stdout, new RegExp(`SUCCESS: ${String(alerts.length)} rules found`));
        const tests = fs.readFileSync(TESTS, 'utf8');
        const fired = [...tests.matchAll(/alertname: (\w+)\n\s+exp_alerts:/g)].map(([, name = '']) => name);
        assert.deepEqual([...new Set(fired)].toSorted(), alerts.toSorted());
        const file = path.join(scratchFolder('rules'), 'tests.yml');
        fs.writeFileSync(file, tests.replace('- RULES', `- ${RULES}`));
        const tested = await run(['promtool', 'test', 'rules', file]);
        assert.equal(tested.code, 0, tested.stdout + tested.stderr);
      });

      it('takes the queries of the dashboard', async () => {
        const { panels } = JSON.parse(fs.readFileSync(DASHBOARD, 'utf8')) as { readonly panels: readonly Panel[] };
        const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$instance', '.*')));
        const rules = queries.map((expr, i) => `      - record: q:${String(i)}\n        expr: ${JSON.stringify(expr)}\n`);
        const file = path.join(scratchFolder('queries'), 'queries.yml');
        fs.writeFileSync(file, `groups:\n  - name: q\n    rules:\n${rules.join('')}`);
        const { code, stdout, stderr } = await run(['promtool', 'check', 'rules', file]);
        assert.equal(code, 0, stdout + stderr);
      });
    });
});
