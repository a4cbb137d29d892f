// Writes the dashboards as TypeScript with Grafana's own types, for tsc to check: node schema.mjs DASHBOARDS OUT
// An option that Grafana's panel or field does not know is an error.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const [dashboards, out] = process.argv.slice(2);
const kinds = { table: 'table', stat: 'stat', 'status-history': 'statushistory', 'state-timeline': 'statetimeline', timeseries: 'timeseries', bargauge: 'bargauge', heatmap: 'heatmap' };
const types = './node_modules/@grafana/schema/dist/types/raw/composable';

// JSON has the values of enums, not their names.
let text = `import type { Dashboard } from '@grafana/schema';
${Object.values(kinds).map((k) => `import type * as ${k} from '${types}/${k}/panelcfg/x/types.gen';`).join('\n')}
type Plain<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]?: Plain<T[K]> } : T;
interface Footer { footer?: { show: boolean; reducer: string[]; fields: string } } // of a table before Grafana 12
type Property<F> = { id: 'unit' | 'min' | 'max' | 'decimals' | 'color' | 'thresholds' | 'mappings' | 'links' | 'noValue' | 'displayName' | 'description' | 'filterable' | \`custom.\${keyof F & string}\`; value?: unknown };
`;
for (const [i, name] of (await readdir(dashboards)).filter((n) => n.endsWith('.json')).entries()) {
  const board = JSON.parse(await readFile(join(dashboards, name), 'utf8'));
  // These members of an annotation are the Prometheus data source's own.
  for (const a of board.annotations.list) for (const own of ['target', 'expr', 'step', 'titleFormat', 'textFormat', 'tagKeys', 'useValueForTime']) delete a[own];
  text += `export const d${i}: Plain<Dashboard> = ${JSON.stringify(board, null, 2)};\n`;
  for (const p of board.panels.flatMap((x) => [x, ...(x.panels ?? [])])) {
    const kind = kinds[p.type];
    if (!kind) continue;
    // The panel has more of these than its schema.
    const field = kind === 'stat' || kind === 'bargauge' ? '{}' : `Plain<${kind}.FieldConfig${kind === 'statetimeline' ? ' & { spanNulls?: boolean | number }' : ''}>`;
    text += `// ${board.uid}: ${p.title}\n`;
    text += `export const d${i}p${p.id}: Partial<Plain<${kind}.Options>>${kind === 'table' ? ' & Footer' : ''} = ${JSON.stringify(p.options ?? {})};\n`;
    text += `export const d${i}p${p.id}c: Partial<${field}> = ${JSON.stringify(p.fieldConfig?.defaults?.custom ?? {})};\n`;
    text += `export const d${i}p${p.id}o: Property<${field}>[] = ${JSON.stringify((p.fieldConfig?.overrides ?? []).flatMap((o) => o.properties))};\n`;
  }
}
await writeFile(out, text);
