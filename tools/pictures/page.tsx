// Draws one dashboard of dashboards/*.json: the grid from the JSON, the queries against a real
// Prometheus, and the panels by @grafana/ui. Grafana's status-history and state-timeline are not in
// that package, so they are drawn here from the same options.
import {
  applyFieldOverrides, createTheme, dateTime, DataFrame, FieldType, getDisplayProcessor, getFieldDisplayValues,
  renderMarkdown, ThemeContext, toDataFrame, VizOrientation, FieldConfigSource,
  getFieldDisplayName, identityOverrideProcessor, FieldConfigPropertyItem, FieldConfigOptionsRegistry,
} from '@grafana/data';
import { BarGauge, BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome, Table, TimeSeries, VizLegend } from '@grafana/ui';
import { LegendDisplayMode } from '@grafana/schema';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

type Json = any; // a dashboard's JSON is checked by schema.mjs and by the Go tests

const params = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: params.get('theme') === 'light' ? 'light' : 'dark' } });
const to = Number(params.get('to') ?? Date.now());
const span = Number(params.get('span') ?? 1200) * 1000;
const range = { from: dateTime(to - span), to: dateTime(to), raw: { from: 'now-20m', to: 'now' } };
const unitHeight = 30 + 8, gap = 8;

// What the panels of Grafana register: that these options may be overridden.
const item = (path: string, isCustom: boolean): FieldConfigPropertyItem => ({
  id: isCustom ? 'custom.' + path : path, path, isCustom, name: path, editor: () => null, override: () => null,
  process: identityOverrideProcessor, shouldApply: () => true, settings: {},
}) as any;
const registry = new FieldConfigOptionsRegistry(() => [
  ...['unit', 'min', 'max', 'decimals', 'color', 'thresholds', 'mappings', 'links', 'noValue', 'displayName'].map((p) => item(p, false)),
  ...['axisSoftMax', 'drawStyle', 'lineInterpolation', 'lineWidth', 'fillOpacity', 'showPoints', 'spanNulls', 'axisSoftMin', 'stacking',
    'align', 'cellOptions', 'inspect', 'filterable', 'width', 'hidden'].map((p) => item(p, true)),
]);

const variables: Record<string, string> = {};
const fill = (s: string) => s.replace(/\$\{(\w+)(:[^}]*)?\}|\$(\w+)/g, (all, a, _f, b) =>
  a === '__to' ? new Date(to).toISOString() : variables[a ?? b] ?? all);

async function api(path: string, q: Record<string, string>) {
  const r = await fetch('/api/v1/' + path + '?' + new URLSearchParams(q));
  const j = await r.json();
  if (j.status !== 'success') throw new Error(j.error);
  return j.data;
}

// The values of the variables as the dashboard opens.
async function choose(list: Json[]) {
  for (const v of list) {
    if (v.type === 'custom') variables[v.name] = v.current.value;
    else if (v.includeAll) variables[v.name] = v.allValue;
    else if (v.type === 'query') {
      const q = fill(v.query.query).match(/^query_result\((.+)\)\s*$/)![1]; // as Grafana does
      const { result } = await api('query', { query: q, time: String(to / 1000) });
      variables[v.name] = params.get('var-' + v.name) ?? result[0]?.metric[v.name] ?? 'none';
    }
  }
}

async function ask(panel: Json, width: number): Promise<DataFrame[]> {
  const points = panel.maxDataPoints ?? Math.max(100, width);
  const least = 5; // the demo's scrape interval; the dashboards ask for 1m of a real one
  const step = Math.max(least, Math.ceil(span / 1000 / points / 5) * 5);
  const frames: DataFrame[] = [];
  for (const t of panel.targets) {
    const query = fill(t.expr);
    const { result } = t.instant
      ? await api('query', { query, time: String(to / 1000) })
      : await api('query_range', { query, start: String((to - span) / 1000), end: String(to / 1000), step: String(step) });
    if (t.format === 'table') {
      const names = [...new Set(result.flatMap((s: Json) => Object.keys(s.metric)))] as string[];
      frames.push(toDataFrame({ refId: t.refId, fields: [
        { name: 'Time', type: FieldType.time, values: result.map((s: Json) => s.value[0] * 1000) },
        ...names.map((n) => ({ name: n, type: FieldType.string, values: result.map((s: Json) => s.metric[n] ?? '') })),
        { name: panel.targets.length > 1 ? 'Value #' + t.refId : 'Value', type: FieldType.number, values: result.map((s: Json) => Number(s.value[1])) },
      ] }));
      continue;
    }
    for (const s of result) {
      const values = new Map<number, number>((s.values ?? [s.value]).map(([at, v]: [number, string]) => [at, Number(v)]));
      const times = t.instant ? [...values.keys()] : Array.from({ length: Math.floor(span / 1000 / step) + 1 }, (_, i) => (to - span) / 1000 + i * step);
      const byMs = new Map([...values].map(([at, v]) => [Math.round(at * 1000), v]));
      const name = t.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_: string, l: string) => s.metric[l] ?? '') || 'Value';
      frames.push(toDataFrame({ refId: t.refId, name, fields: [
        { name: 'Time', type: FieldType.time, values: times.map((x) => x * 1000) },
        { name: 'Value', type: FieldType.number, labels: s.metric, config: { displayNameFromDS: name },
          values: times.map((x) => { const v = byMs.get(Math.round(x * 1000)); return v === undefined || (!t.instant && Number.isNaN(v)) ? null : v; }) },
      ] }));
    }
  }
  return frames;
}

// The transformations that the dashboards use, after their options.
function transform(panel: Json, frames: DataFrame[]): DataFrame[] {
  if (panel.type !== 'table') return frames;
  const rows: Record<string, any>[] = [];
  for (const f of frames) {
    for (let i = 0; i < f.length; i++) {
      const row = Object.fromEntries(f.fields.filter((x) => x.name !== 'Time').map((x) => [x.name, x.values[i]]));
      const same = rows.find((r) => Object.keys(row).every((k) => k.startsWith('Value') || r[k] === undefined || r[k] === row[k]));
      if (same && frames.length > 1) Object.assign(same, row); else rows.push(row);
    }
  }
  const organize = panel.transformations.find((t: Json) => t.id === 'organize').options;
  const sort = panel.transformations.find((t: Json) => t.id === 'sortBy').options.sort[0];
  const names = Object.keys(organize.indexByName).sort((a, b) => organize.indexByName[a] - organize.indexByName[b]);
  const by = names.find((n) => organize.renameByName[n] === sort.field)!;
  rows.sort((a, b) => (a[by] < b[by] ? 1 : -1) * (sort.desc ? 1 : -1));
  return [toDataFrame({ fields: names.map((n) => ({
    name: organize.renameByName[n], type: n.startsWith('Value') ? FieldType.number : FieldType.string,
    values: rows.map((r) => { const v = r[n]; return n.startsWith('Value') && v > 1e9 ? v * 1000 : v ?? null; }),
  })) })];
}

function configured(panel: Json, frames: DataFrame[]): DataFrame[] {
  return applyFieldOverrides({
    data: frames, fieldConfig: panel.fieldConfig as FieldConfigSource, theme, timeZone: 'utc', fieldConfigRegistry: registry,
    replaceVariables: (s: string) => fill(s),
  });
}

function Rows({ panel, frames, width, height, states, legend }: { panel: Json; frames: DataFrame[]; width: number; height: number; states: boolean; legend: Json }) {
  const left = Math.min(Math.max(240, width / 3), Math.max(60, ...frames.map((f) => 7 * getFieldDisplayName(f.fields[1], f, frames).length + 12)));
  const foot = 22 + (legend ? 26 : 0), rowHeight = Math.min(60, (height - foot) / Math.max(1, frames.length));
  const most = Math.max(1, ...frames.flatMap((f) => f.fields[1].values.map((v: number | null) => v ?? 0)));
  const x = (ms: number) => left + ((ms - (to - span)) / span) * (width - left - 8);
  const cells = frames.flatMap((f, r) => {
    const field = f.fields[1];
    field.state = { ...field.state, range: { min: 0, max: most, delta: most } };
    field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    const out: { from: number; end: number; v: any; r: number }[] = [];
    const times = f.fields[0].values, step = (times[1] ?? times[0] + 1) - times[0];
    field.values.forEach((v: number | null, i: number) => {
      if (v === null) return;
      const last = out[out.length - 1];
      if (states && last && last.v.numeric === v && last.end === times[i]) { last.end = times[i] + step; return; }
      out.push({ from: times[i], end: times[i] + step, v: field.display!(v), r });
    });
    return out;
  });
  const ticks = Array.from({ length: 5 }, (_, i) => to - span + ((i + 0.5) * span) / 5);
  return (
    <div>
      <svg width={width} height={height - (legend ? 26 : 0)} style={{ fontFamily: theme.typography.fontFamily, fontSize: 12 }}>
        {frames.map((f, r) => {
          const name = getFieldDisplayName(f.fields[1], f, frames), most = Math.floor((left - 10) / 6.6);
          return <text key={r} x={left - 6} y={(r + 0.5) * rowHeight + 4} textAnchor="end" fill={theme.colors.text.primary}>{name.length > most ? name.slice(0, most - 1) + '…' : name}</text>;
        })}
        {cells.map((c, i) => {
          const w = Math.max(1, Math.min(x(c.end), width) - x(c.from) - (states ? 0 : 1)), h = rowHeight * 0.9;
          const text = c.v.text + (c.v.suffix ?? '');
          return (
            <g key={i}>
              <rect x={x(c.from)} y={c.r * rowHeight + 1} width={w} height={h} fill={c.v.color} fillOpacity={states ? 0.8 : 0.9} />
              {panel.options.showValue === 'auto' && w > 7 * text.length + 4 && h > 12 && <text x={x(c.from) + (states ? 6 : w / 2)} y={c.r * rowHeight + h / 2 + 5} textAnchor={states ? 'start' : 'middle'} fill={theme.colors.getContrastText(c.v.color)}>{text}</text>}
            </g>
          );
        })}
        {ticks.map((t) => <text key={t} x={x(t)} y={frames.length * rowHeight + 16} textAnchor="middle" fill={theme.colors.text.secondary}>{new Date(t).toISOString().slice(11, 16)}</text>)}
      </svg>
      {legend && <VizLegend placement="bottom" displayMode={LegendDisplayMode.List} items={Object.values(legend).map((m: Json) => ({ label: m.text, color: m.color, yAxis: 1 }))} />}
    </div>
  );
}

function Body({ panel, width, height }: { panel: Json; width: number; height: number }) {
  const [frames, setFrames] = useState<DataFrame[]>();
  const [failed, setFailed] = useState('');
  useEffect(() => { ask(panel, width).then((f) => { setFrames(configured(panel, transform(panel, f))); done(); }, (e) => { setFailed(String(e)); done(); }); }, []);
  if (failed) return <pre className="failed">{failed}</pre>;
  if (!frames) return null;
  const empty = frames.every((f) => f.length === 0);
  if (empty && panel.type !== 'stat') return <div className="nodata" style={{ textAlign: 'center', padding: 20 }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
  switch (panel.type) {
    case 'stat': case 'bargauge': {
      const shown = getFieldDisplayValues({
        data: frames, theme, reduceOptions: panel.options.reduceOptions, replaceVariables: (s: string) => fill(s), fieldConfig: panel.fieldConfig, timeZone: 'utc',
      } as any);
      if (panel.type === 'stat') {
        return <div className={empty ? 'nodata' : ''}><BigValue value={shown[0].display} width={width} height={height} theme={theme}
          colorMode={BigValueColorMode.Value} graphMode={panel.options.graphMode as BigValueGraphMode} textMode={BigValueTextMode.Value} /></div>;
      }
      const each = Math.min(34, height / shown.length);
      return <div>{shown.map((s, i) => (
        <BarGauge key={i} value={s.display} field={{ ...s.field, max: Math.max(...shown.map((o) => o.display.numeric)) } as any} display={s.view!.getFieldDisplayProcessor(s.colIndex!)} width={width} height={each} theme={theme}
          text={panel.options.text} orientation={VizOrientation.Horizontal} displayMode={panel.options.displayMode} showUnfilled itemSpacing={6} lcdCellWidth={12}
          alignmentFactors={{ title: shown.reduce((a, o) => (o.display.title!.length > a.length ? o.display.title! : a), ''), text: shown.reduce((a, o) => (o.display.text.length > a.length ? o.display.text : a), '') } as any} />))}</div>;
    }
    case 'timeseries':
      return <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc"
        legend={{ ...panel.options.legend, displayMode: LegendDisplayMode.List, calcs: [] }} options={{}} />;
    case 'status-history': return <Rows panel={panel} frames={frames} width={width} height={height} states={false} legend={null} />;
    case 'state-timeline': return <Rows panel={panel} frames={frames} width={width} height={height} states legend={panel.fieldConfig.defaults.mappings[0].options} />;
    case 'table': return <Table data={frames[0]} width={width} height={height} noHeader={false} cellHeight={'sm' as any} />;
  }
  return <pre className="failed">{panel.type}</pre>;
}

let waiting = 0;
function done() { if (--waiting === 0) setTimeout(() => { document.title = 'drawn'; }, 1500); }

function Dashboard({ dashboard, width }: { dashboard: Json; width: number }) {
  const column = (width - gap) / 24;
  const end = Math.max(...dashboard.panels.map((p: Json) => p.gridPos.y + p.gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, width, padding: '12px 0 0' }}>
        <div style={{ padding: '0 12px 10px', fontSize: 18 }}>{dashboard.title}
          {dashboard.templating.list.map((v: Json) => (
            <span key={v.name} style={{ fontSize: 12, marginLeft: 14, padding: '4px 8px', background: theme.colors.background.secondary }}>
              <span style={{ color: theme.colors.text.link }}>{v.label}</span>{' '}{v.type === 'datasource' ? 'Prometheus' : v.includeAll ? 'All' : variables[v.name]}
            </span>))}
        </div>
        <div style={{ position: 'relative', height: end * unitHeight + gap }}>
          {dashboard.panels.map((p: Json) => {
            const g = p.gridPos, w = g.w * column - gap, h = g.h * unitHeight - gap;
            const place = { position: 'absolute' as const, left: gap + g.x * column, top: g.y * unitHeight, width: w, height: h };
            if (p.type === 'row') return <div key={p.id} style={{ ...place, fontSize: 15, fontWeight: 500, paddingTop: 4 }}>⌄ {p.title}</div>;
            return (
              <div key={p.id} style={place}>
                <PanelChrome title={fill(p.title)} description={p.description} width={w} height={h} padding={p.type === 'table' ? 'none' : 'md'}>
                  {(iw: number, ih: number) => p.type === 'text'
                    ? <div className="markdown-html" dangerouslySetInnerHTML={{ __html: renderMarkdown(fill(p.options.content)) }} />
                    : <Body panel={p} width={iw} height={ih} />}
                </PanelChrome>
              </div>);
          })}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

async function main() {
  const dashboard = await (await fetch('/dashboards/' + params.get('uid') + '.json')).json();
  await choose(dashboard.templating.list);
  waiting = dashboard.panels.filter((p: Json) => p.targets?.length).length;
  createRoot(document.getElementById('root')!).render(<Dashboard dashboard={dashboard} width={window.innerWidth} />);
}
main().catch((e) => { document.body.innerHTML = '<pre class="failed">' + e + '</pre>'; document.title = 'drawn'; });
