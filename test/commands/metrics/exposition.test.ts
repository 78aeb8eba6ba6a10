/** Metrics as text: the two forms, and values that nobody foresaw. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printMetrics, type Family } from '../../../src/commands/metrics/exposition.ts';

const FAMILIES: readonly Family[] = [
  { name: 'a_decisions', type: 'counter', help: 'Decisions.', samples: [{ labels: { door: 'gate', why: 'x' }, value: 3 }] },
  { name: 'a_latency_seconds', type: 'gauge', help: 'How long.', samples: [{ value: 0.0125 }] },
  { name: 'a_nothing', type: 'gauge', help: 'Nothing.', samples: [] },
];

describe('printed metrics', () => {
  it('are OpenMetrics, with units and an end', () => {
    assert.equal(
      printMetrics(FAMILIES, 'openmetrics'),
      `# HELP a_decisions Decisions.
# TYPE a_decisions counter
a_decisions_total{door="gate",why="x"} 3
# HELP a_latency_seconds How long.
# TYPE a_latency_seconds gauge
# UNIT a_latency_seconds seconds
a_latency_seconds 0.0125
# EOF
`,
    );
  });

  it('are the text format for the collector, where a counter is declared with its suffix', () => {
    assert.equal(
      printMetrics(FAMILIES, 'textfile'),
      `# HELP a_decisions_total Decisions.
# TYPE a_decisions_total counter
a_decisions_total{door="gate",why="x"} 3
# HELP a_latency_seconds How long.
# TYPE a_latency_seconds gauge
a_latency_seconds 0.0125
`,
    );
  });

  it('keep a label on its line and in its quotes', () => {
    const samples = [{ labels: { file: 'a"b\\c\nd' }, value: 1 }];
    const text = printMetrics([{ name: 'a', type: 'gauge', help: 'A.', samples }], 'textfile');
    assert.equal(text.split('\n')[2], String.raw`a{file="a\"b\\c\nd"} 1`);
  });
});
