// Bundles page.tsx and Grafana's packages into dist, for Chromium.
import { build } from 'esbuild';
import { copyFile, readFile } from 'node:fs/promises';

// The package looks which version of Grafana's runtime it has by what that exports; a bundler has
// must not take a missing name for a mistake.
const compat = {
  name: 'compat',
  setup(b) {
    // The editor of queries would have a button of it; nobody edits here.
    b.onResolve({ filter: /^@grafana\/assistant$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    b.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
    b.onLoad({ filter: /@grafana\/plugin-compat\/dist\/esm\/.*\.mjs$/ }, async ({ path }) => {
      let n = 0;
      const contents = (await readFile(path, 'utf8')).replace(/^import \{ (.+) \} from '(@grafana\/runtime.*)';$/gm, (_, names, from) =>
        `import * as m${++n} from '${from}';\n` + names.split(', ').map((x) => { const [a, c] = x.split(' as '); return `const ${c ?? a} = m${n}[${JSON.stringify(a)}];`; }).join('\n'));
      return { contents };
    });
  },
};

await build({
  entryPoints: ['page.tsx'], bundle: true, outdir: 'dist', format: 'esm', splitting: true, target: 'chrome110', jsx: 'automatic', logLevel: 'error', logLimit: 20,
  // It bridges versions 5 and 6 of the router, of which only 6 is here.
  alias: { 'react-router-dom-v5-compat': 'react-router-dom' },
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'globalThis' },
  loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.woff': 'dataurl', '.ttf': 'dataurl', '.png': 'dataurl', '.eot': 'dataurl' },
  plugins: [compat],
});
await copyFile('index.html', 'dist/index.html');
