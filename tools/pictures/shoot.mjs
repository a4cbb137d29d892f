// Photographs every dashboard: node shoot.mjs PROMETHEUS DASHBOARDS OUT [SPAN_SECONDS]
// Serves the built page, the dashboards and Prometheus's API under one address, opens each in
// Chromium, and fails where a panel failed or is empty.
import { createServer, request } from 'node:http';
import { readdir, readFile, mkdir } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

const [prometheus, dashboards, out, span = '1200'] = process.argv.slice(2);
const kinds = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname.startsWith('/api/')) {
    const upstream = request(prometheus + req.url, (answer) => { res.writeHead(answer.statusCode, answer.headers); answer.pipe(res); });
    upstream.on('error', (e) => { res.writeHead(502); res.end(JSON.stringify({ status: 'error', error: String(e) })); });
    upstream.end();
    return;
  }
  const path = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
  const file = path.startsWith('/dashboards/') ? join(dashboards, path.slice('/dashboards/'.length)) : join('dist', path);
  try {
    const body = await readFile(file);
    res.writeHead(200, { 'Content-Type': kinds[extname(file)] ?? 'application/octet-stream' });
    res.end(body);
  } catch {
    res.writeHead(404);
    res.end();
  }
});
await new Promise((r) => server.listen(0, '127.0.0.1', r));
const base = 'http://127.0.0.1:' + server.address().port;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
await mkdir(out, { recursive: true });
let failed = false;
for (const name of (await readdir(dashboards)).filter((n) => n.endsWith('.json'))) {
  const uid = name.replace('.json', '');
  for (const theme of uid.endsWith('overview') ? ['dark', 'light'] : ['dark']) {
    const page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
    const errors = [];
    page.on('pageerror', (e) => errors.push(String(e)));
    await page.goto(`${base}/?uid=${uid}&theme=${theme}&span=${span}`);
    await page.waitForFunction(() => document.title === 'drawn', undefined, { timeout: 90000 }).catch((e) => errors.push(String(e)));
    const wrong = await page.locator('.failed').allTextContents();
    const empty = await page.locator('.nodata').allTextContents();
    const file = join(out, uid + (theme === 'light' ? '-light' : '') + '.png');
    await page.screenshot({ path: file, fullPage: true });
    console.log(`${file}: ${wrong.length} panels failed, ${empty.length} are empty`);
    for (const text of [...wrong, ...empty.map((t) => 'empty: ' + t), ...errors]) console.log('  ' + text);
    failed ||= wrong.length + empty.length + errors.length > 0;
    await page.close();
  }
}
await browser.close();
server.close();
process.exit(failed ? 1 : 0);
