/**
 * Metrics as text: OpenMetrics 1.0, and the text format of Prometheus (0.0.4), which node_exporter's textfile collector reads. They differ in how
 * a counter is declared, and only OpenMetrics has units and an end. Pure.
 */

export interface Family {
  /** Without the `_total` that the samples of a counter have. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** One line. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Form = 'openmetrics' | 'textfile';

/** The whole text. A family without samples is left out. */
export function printMetrics(families: readonly Family[], form: Form): string {
  const text = families.filter(({ samples }) => samples.length > 0).map((family) => printFamily(family, form));
  return text.join('') + (form === 'openmetrics' ? '# EOF\n' : '');
}

function printFamily({ name, type, help, samples }: Family, form: Form): string {
  const full = type === 'counter' ? `${name}_total` : name;
  const declared = form === 'openmetrics' ? name : full;
  const unit = form === 'openmetrics' && name.endsWith('_seconds') ? `# UNIT ${name} seconds\n` : '';
  const lines = samples.map(({ labels = {}, value }) => `${full}${printLabels(labels)} ${String(value)}\n`);
  return `# HELP ${declared} ${help}\n# TYPE ${declared} ${type}\n${unit}${lines.join('')}`;
}

function printLabels(labels: Readonly<Record<string, string>>): string {
  const each = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll(/[\\"]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)}"`,
  );
  return each.length === 0 ? '' : `{${each.join(',')}}`;
}
