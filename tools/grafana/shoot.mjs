// Draws every dashboard from the history: node shoot.mjs PROMETHEUS_PROGRAM HISTORY DASHBOARDS OUT
// Fails where a panel failed.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { start } from './serve.mjs';

const [program, history, dashboards, out] = process.argv.slice(2);
const grafana = await start({ program, history, dashboards });
await mkdir(out, { recursive: true });
let failed = false;
for (const name of (await readdir(dashboards)).filter((n) => n.endsWith('.json'))) {
  const uid = name.replace('.json', '');
  if (/"type": "loki"/.test(await readFile(join(dashboards, name), 'utf8'))) continue; // there is no Loki
  for (const theme of uid.endsWith('overview') ? ['dark', 'light'] : ['dark']) {
    const values = { 'var-datasource': 'main', ...(uid.endsWith('token') ? { 'var-token': grafana.about.campaign.first } : {}) };
    const page = await grafana.open({ uid, theme, from: 'now-24h', to: 'now', draw: '', ...values });
    const wrong = await page.locator('.failed').allTextContents();
    const empty = await page.locator('.nodata').allTextContents();
    // A table draws only what is in view.
    await page.setViewportSize({ width: 1500, height: await page.evaluate(() => document.documentElement.scrollHeight) });
    await page.waitForTimeout(1000);
    const file = join(out, uid + (theme === 'light' ? '-light' : '') + '.png');
    await page.screenshot({ path: file, fullPage: true });
    console.log(`${file}: ${wrong.length} panels failed, ${empty.length} are empty`);
    for (const text of [...wrong, ...empty.map((t) => 'empty: ' + t), ...page.errors]) console.log('  ' + text);
    failed ||= wrong.length + page.errors.length > 0;
    await page.close();
  }
}
await grafana.stop();
process.exit(failed ? 1 : 0);
