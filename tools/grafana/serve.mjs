// What check.mjs and shoot.mjs need: a Prometheus on the history, and the page in Chromium at the
// time at which the history ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { mkdtemp, readFile, rm, writeFile, cp } from 'node:fs/promises';
import { createServer as listen } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

const kinds = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

async function freePort() {
  const l = listen().listen(0, '127.0.0.1');
  await once(l, 'listening');
  const { port } = l.address();
  l.close();
  return port;
}

// prometheus starts one on a copy of the history.
async function prometheus(program, history) {
  const dir = await mkdtemp(join(tmpdir(), 'abs-exporter-grafana-'));
  await cp(history, join(dir, 'data'), { recursive: true });
  await writeFile(join(dir, 'prometheus.yml'), '{}');
  const url = 'http://127.0.0.1:' + await freePort();
  const child = spawn(program, ['--config.file=' + join(dir, 'prometheus.yml'), '--storage.tsdb.path=' + join(dir, 'data'), '--storage.tsdb.retention.time=100y',
    '--web.listen-address=' + url.slice(7), '--log.level=error'], { stdio: 'inherit' });
  for (let i = 0; ; i++) {
    if (child.exitCode !== null || i > 600) throw new Error('Prometheus does not start');
    if ((await fetch(url + '/-/ready').catch(() => ({}))).ok) break;
    await new Promise((r) => setTimeout(r, 100));
  }
  return { url, stop: async () => { child.kill(); await once(child, 'exit'); await rm(dir, { recursive: true }); } };
}

// start serves the built page and the boards; data sources but the default one have no data.
export async function start({ dashboards, history, program, dist = 'dist', chrome = process.env.CHROMIUM ?? '/usr/bin/chromium' }) {
  const about = JSON.parse(await readFile(join(history, 'history.json'), 'utf8'));
  const prom = await prometheus(program, history);
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, 'http://localhost');
    const source = url.pathname.match(/^\/prometheus\/([^/]+)(\/.*)$/);
    if (source && source[1] !== 'main') {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify({ status: 'error', error: `data source ${source[1]} has no such series` }));
      return;
    }
    if (source) {
      const upstream = request(prom.url + source[2] + url.search, (answer) => { res.writeHead(answer.statusCode, answer.headers); answer.pipe(res); });
      upstream.on('error', (e) => { res.writeHead(502); res.end(JSON.stringify({ status: 'error', error: String(e) })); });
      upstream.end();
      return;
    }
    const path = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
    const file = path.startsWith('/dashboards/') ? join(dashboards, path.slice('/dashboards/'.length)) : join(dist, path);
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
  const browser = await chromium.launch({ executablePath: chrome, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  return {
    about, prometheus: prom.url,
    // open opens a board as a link with these parameters does, at a time.
    open: async (params, at = about.now, width = 1500) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, timezoneId: 'UTC', locale: 'en-GB' });
      page.errors = [];
      page.on('pageerror', (e) => page.errors.push(String(e)));
      await page.clock.setFixedTime(new Date(at));
      await page.goto(base + '/?' + new URLSearchParams(params));
      await page.waitForFunction(() => document.title === 'drawn', undefined, { timeout: 120_000 }).catch((e) => page.errors.push(String(e)));
      page.errors.push(...await page.locator('body > .failed').allTextContents());
      return page;
    },
    stop: async () => { await browser.close(); server.close(); await prom.stop(); },
  };
}
