// Writes the dashboards as TypeScript with Grafana's own types, for tsc to check: node schema.mjs DASHBOARDS OUT
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const [dashboards, out] = process.argv.slice(2);
// JSON has the values of enums, not their names.
let text = `import type { Dashboard } from '@grafana/schema';
type Plain<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
`;
for (const [i, name] of (await readdir(dashboards)).filter((n) => n.endsWith('.json')).entries()) {
  text += `export const d${i}: Plain<Dashboard> = ${await readFile(join(dashboards, name), 'utf8')};\n`;
}
await writeFile(out, text);
