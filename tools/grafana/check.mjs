// Checks what the dashboards show, with Grafana's own code, on the history:
//   PROMETHEUS=program HISTORY=dir BOARDS=dir GOLDEN=dir node --test check.mjs
// UPDATE=1 writes the golden files: every cell of every table as text.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { start } from './serve.mjs';

const { PROMETHEUS, HISTORY, BOARDS, GOLDEN, UPDATE } = process.env;
let grafana, about;
before(async () => {
  grafana = await start({ program: PROMETHEUS, history: HISTORY, dashboards: BOARDS });
  about = grafana.about;
});
after(() => grafana?.stop());

// The boards that need nothing but Prometheus.
const uids = [];
for (const name of (await readdir(BOARDS)).filter((n) => n.endsWith('.json'))) {
  if (!/"type": "loki"/.test(await readFile(join(BOARDS, name), 'utf8'))) uids.push(name.replace('.json', ''));
}
const overview = 'abs-exporter-overview', token = 'abs-exporter-token';
const hour = 3600_000;

// read opens a board and returns what f, which runs in the page, returns. All tests but the one of
// the data source name it, so that a board with the wrong one fails there only.
async function read(uid, f, { at, values = {}, source = 'main', ...params } = {}) {
  const chosen = { ...(source ? { datasource: source } : {}), ...(uid === token ? { token: about.campaign.first } : {}), ...values };
  const page = await grafana.open({ uid, ...params, ...Object.fromEntries(Object.entries(chosen).map(([k, v]) => ['var-' + k, v])) }, at);
  try {
    assert.deepEqual(page.errors, []);
    return await (f.length > 1 ? f(page, chosen) : page.evaluate(f));
  } finally {
    await page.close();
  }
}

for (const uid of uids) {
  test(`${uid}: no panel fails, and the cells of its tables are as they were`, async () => {
    const { titles, tables } = await read(uid, () => ({ titles: board.titles(), tables: board.tables() }));
    assert.deepEqual(titles.filter((t) => t.error), []);
    let text = '';
    for (const t of tables) {
      text += `${t.title}\n  ${t.columns.join(' | ')}\n${t.rows.map((r) => '  ' + r.join(' | ') + '\n').join('') || '  ' + t.empty + '\n'}\n`;
      for (const row of t.rows) {
        for (const cell of row) assert.doesNotMatch(cell, /years ago|Invalid date|undefined|\bNaN\b/, `${t.title}: ${row.join(' | ')}`);
      }
    }
    if (!GOLDEN) return;
    const file = join(GOLDEN, uid + '.txt');
    if (UPDATE) {
      await mkdir(GOLDEN, { recursive: true });
      await writeFile(file, text);
    }
    assert.equal(text, await readFile(file, 'utf8'));
  });
}

// 1.
test('an attack was first seen when it began', async () => {
  const tables = await read(overview, () => board.tables());
  const rows = tables.flatMap((t) => t.rows.filter((r) => r.includes(about.campaign.type) && r.includes(about.campaign.api)).map((r) => `${t.title}: ${r.join(' | ')}`));
  assert.ok(rows.length > 0, 'no table shows the campaign');
  assert.ok(rows.some((r) => /\| (6|7) hours ago/.test(r)), `it began at ${about.campaign.begins}, and at ${about.now} there is:\n${rows.slice(0, 5).join('\n')}`);
});

// 2.
test('no refresh changes a variable', async () => {
  for (const uid of uids) {
    const cases = [{}, ...(uid === token ? [{ token: about.left }] : [])];
    for (const values of cases) {
      await read(uid, async (page, chosen) => {
        const opened = await page.evaluate(() => board.variables());
        for (const [name, value] of Object.entries(chosen)) assert.equal(String(opened[name]), value, `${uid}: ${name} as it opens`);
        for (let minutes = 1; minutes <= 3; minutes++) {
          await page.clock.setFixedTime(new Date(new Date(about.now).getTime() + minutes * 60_000));
          await page.evaluate(() => board.refresh());
          assert.deepEqual(await page.evaluate(() => board.variables()), opened, `${uid}: after ${minutes} refreshes`);
        }
      }, { values });
    }
  }
});

test('the page of a token says which one it is about', async () => {
  const titles = await read(token, () => board.titles(), { values: { token: about.left } });
  const top = titles.find((t) => t.type === 'row');
  assert.ok(top?.title.includes(about.left), `the first row is "${top?.title}"`);
});

// 3.
test('the cells of rows over time add up to what was counted', async () => {
  const wrong = [];
  let rows = 0;
  for (const uid of uids) {
    for (const [span, name] of [[6, '6h'], [24, '24h'], [48, '2d'], [7 * 24, '7d'], [30 * 24, '30d']]) {
      for (const panel of await read(uid, () => board.history(), { from: 'now-' + name, to: 'now' })) {
        for (const row of panel.rows) {
          const counter = row.expr.match(/(abs_\w+_total)\{([^}]*)\}\s*\[/);
          if (!counter) continue; // a gauge
          const truth = await counted(counter[1], counter[2], row);
          if (truth === undefined) continue;
          rows++;
          if (Math.abs(row.shown - truth) > Math.max(1, 0.02 * truth)) {
            wrong.push(`${uid}, ${name}: ${panel.title}: ${Object.values(row.labels)}: ${row.cells} cells of ${row.step / 1000} s, shown ${row.shown}, counted ${truth}`);
          }
        }
      }
    }
  }
  assert.ok(rows > 50, `only ${rows} rows were checked`);
  assert.equal(wrong.length, 0, `${wrong.length} of ${rows} rows:\n${wrong.join('\n')}`);
});

// counted is what a counter gained over all cells of a row, step by step from its samples.
async function counted(metric, matchers, row) {
  const from = row.first - row.step, length = Math.round((row.last - from) / 1000) + 300;
  const q = new URLSearchParams({ query: `${metric}{${matchers}}[${length}s]`, time: String(row.last / 1000) });
  const { data, error } = await (await fetch(`${grafana.prometheus}/api/v1/query?${q}`)).json();
  assert.equal(error, undefined);
  let sum, any = false;
  for (const s of data.result) {
    if (Object.entries(row.labels).some(([k, v]) => s.metric[k] !== v)) continue;
    any = true;
    s.values.forEach(([at, v], i) => {
      if (i > 0 && at * 1000 > from) sum = (sum ?? 0) + Math.max(0, Number(v) < Number(s.values[i - 1][1]) ? Number(v) : Number(v) - Number(s.values[i - 1][1]));
    });
  }
  return any ? sum ?? 0 : undefined;
}

// A detection is an event: a table counts it as a counter does, also where its series is young.
test('a table of the chosen time counts every attack, and says which are over', async () => {
  const [table] = (await read(overview, () => board.tables(), { from: 'now-24h', to: 'now' })).filter((t) => t.columns.includes('New attacks'));
  assert.ok(table, 'no table counts new attacks');
  const column = (row, name) => row[table.columns.indexOf(name)];
  const campaign = table.rows.find((r) => column(r, 'Attack type') === about.campaign.type && column(r, 'API') === about.campaign.api);
  const wrong = table.rows.filter((r) => !['active', 'over'].includes(column(r, 'State')) || column(r, 'Last seen') === column(r, 'First seen'));
  assert.deepEqual([column(campaign, 'New attacks'), wrong.map((r) => r.join(' | '))], [String(about.campaign.tokens), []]);
});

// 4.
test('a target that nobody knows anything of is named, and nothing is clear', async () => {
  const { titles, numbers, tables } = await read(overview, () => ({ titles: board.titles(), numbers: board.numbers(), tables: board.tables() }), { at: about.blind });
  const first = titles.find((t) => t.type !== 'row' && t.type !== 'text'), shown = numbers.find((n) => n.title === first.title);
  assert.match(first.title, /blind/i, `the first tile is "${first.title}": ${shown?.values.map((v) => v.text)}`);
  assert.deepEqual(shown.values.map((v) => v.text), ['1'], `${first.title}, while ${about.targets[1]} has been silent since ${about.blindFrom}`);
  const [named] = tables.flatMap((t) => t.rows.filter((r) => r.includes(about.targets[1])));
  assert.ok(named, `no table names ${about.targets[1]}`);
  const now = await read(overview, () => board.numbers());
  assert.deepEqual(now.find((n) => n.title === first.title).values.map((v) => v.text), ['0'], 'all targets answer now');
  const clear = now.find((n) => n.title === first.title).values[0].color;
  for (const n of numbers.filter((x) => /attack|flagged|anomal/i.test(x.title))) {
    for (const v of n.values) assert.ok(v.color !== clear, `"${n.title}" is clear: ${v.text}`);
  }
});

// 5.
test('severities sort by how bad they are after a click', async () => {
  const order = ['critical', 'warning', 'info'];
  let tables = 0;
  await read(overview, async (page, _) => {
    for (const title of (await page.evaluate(() => board.tables())).filter((t) => t.columns.includes('Severity')).map((t) => t.title)) {
      const panel = page.locator(`[data-panel=${JSON.stringify(title)}]`);
      for (let clicks = 1; clicks <= 2; clicks++) {
        await panel.getByRole('columnheader').filter({ hasText: 'Severity' }).first().locator('button').first().click();
        await page.waitForTimeout(300);
        const column = await panel.getByRole('columnheader').filter({ hasText: 'Severity' }).first().getAttribute('aria-colindex');
        const cells = (await panel.locator(`[role=gridcell][aria-colindex="${column}"]`).allTextContents()).map((s) => s.trim()).filter((s) => order.includes(s));
        const ranks = cells.map((c) => order.indexOf(c)), sorted = [...ranks].sort();
        assert.ok(new Set(cells).size > 1, `"${title}" has cells ${cells}`);
        assert.ok(String(ranks) === String(sorted) || String(ranks) === String(sorted.reverse()), `"${title}" after ${clicks} clicks: ${cells.filter((c, i) => c !== cells[i - 1]).join(', ')}`);
      }
      tables++;
    }
  }, { draw: '', all: '' });
  assert.ok(tables >= 2, `${tables} tables have severities`);
});

test('an attack of severity info does not look like a critical one', async () => {
  const look = async (id) => read(token, () => ({ states: board.states(), numbers: board.numbers() }), { values: { token: id } });
  const critical = await look(about.campaign.first), info = await look(about.info);
  const active = (b) => b.states.flatMap((p) => p.rows.flatMap((r) => r.states)).filter((s) => !/^(none|no attack|clear)/.test(s));
  assert.ok(active(critical).length > 0 && active(info).length > 0, 'the timelines are empty');
  assert.deepEqual(active(info).filter((s) => active(critical).includes(s)), [], 'on the timeline');
  const colours = (b) => b.numbers.filter((n) => /attack|severity/i.test(n.title)).flatMap((n) => n.values.map((v) => `${n.title}: ${v.color}`));
  assert.deepEqual(colours(info).filter((c) => colours(critical).includes(c)), [], 'in the tiles');
});

// What is wider than its place is measured, as it is drawn.
test('no title is cut, and what is in a tile or a table of tokens fits', async () => {
  for (const uid of uids) {
    const wrong = await read(uid, () => {
      const out = [];
      for (const panel of document.querySelectorAll('[data-panel]')) {
        const title = panel.dataset.panel, right = panel.getBoundingClientRect().right;
        for (const e of panel.querySelectorAll('h2, h6')) if (e.scrollWidth > e.clientWidth) out.push(`the title "${title}"`);
        for (const e of panel.querySelectorAll('span')) if (!panel.querySelector('[role=grid]') && e.getBoundingClientRect().right > right) out.push(`"${e.textContent}" in "${title}"`);
        const grid = panel.querySelector('[role=grid]');
        if (grid && grid.scrollWidth > grid.clientWidth && /attack|token/i.test(title)) out.push(`the columns of "${title}": ${grid.scrollWidth} > ${grid.clientWidth}`);
      }
      return out;
    }, { draw: '' });
    assert.deepEqual(wrong, [], uid);
  }
});

test('what is all is named so, and a line about nothing has no link', async () => {
  for (const uid of uids) {
    const { titles, tables } = await read(uid, () => ({ titles: board.titles(), tables: board.tables() }));
    assert.deepEqual(titles.filter((t) => t.title.includes('.*')), [], uid);
    for (const t of tables) assert.ok(t.links.flat().every((l) => !/var-(api|token)=(none|unknown)/.test(l)), `${uid}: ${t.title}`);
  }
});

test('the tile of flagged tokens has the worst severity first', async () => {
  const numbers = await read(overview, () => board.numbers());
  const tile = numbers.find((n) => /by worst severity/.test(n.title));
  assert.deepEqual(tile.values.map((v) => v.name), ['critical', 'unknown', 'warning', 'info']);
});

// 6.
test('a board opens on the default data source, and its links keep it', async () => {
  for (const uid of uids) {
    const { asked, links, datasource } = await read(uid, () => ({
      asked: board.asked(), datasource: board.variables().datasource, links: [...board.links(), ...board.tables().flatMap((t) => t.links.flat())],
    }), { source: '' });
    assert.deepEqual(asked, ['main'], `${uid} opens with the data source ${datasource}, and asks`);
    for (const l of links.filter((x) => x.includes('/d/'))) assert.match(l, /var-datasource=(default|main)\b/, `${uid}: a link`);
  }
});
