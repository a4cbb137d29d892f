// Draws one dashboard: the grid from the JSON, the data from board.ts, and the panels by
// @grafana/ui. Grafana's status-history and state-timeline are not in that package, so they are
// drawn here from the same options.
import {
  createTheme, DataFrame, getDisplayProcessor, getFieldDisplayName, renderMarkdown, ThemeContext, VizOrientation,
} from '@grafana/data';
import { BarGauge, BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome, TimeSeries, VizLegend } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { LegendDisplayMode } from '@grafana/schema';
import { sceneGraph } from '@grafana/scenes';
import { createRoot } from 'react-dom/client';
import { Board, Json, Panel } from './board';

const params = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: params.get('theme') === 'light' ? 'light' : 'dark' } });
const unitHeight = 30 + 8, gap = 8;

function Rows({ panel, frames, width, height, states, legend, from, to }: { panel: Json; frames: DataFrame[]; width: number; height: number; states: boolean; legend: Json; from: number; to: number }) {
  const span = to - from;
  const left = Math.min(Math.max(240, width / 3), Math.max(60, ...frames.map((f) => 8 * getFieldDisplayName(f.fields[1], f, frames).length + 12)));
  const foot = 22 + (legend ? 26 : 0), rowHeight = Math.min(60, (height - foot) / Math.max(1, frames.length));
  const most = Math.max(1, ...frames.flatMap((f) => f.fields[1].values.map((v: number | null) => v ?? 0)));
  const x = (ms: number) => left + ((ms - from) / span) * (width - left - 8);
  const cells = frames.flatMap((f, r) => {
    const field = f.fields[1];
    field.state = { ...field.state, range: { min: 0, max: most, delta: most } };
    field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    const out: { from: number; end: number; v: any; r: number }[] = [];
    const times = f.fields[0].values, step = f.fields[0].config.interval ?? 60000;
    field.values.forEach((v: number | null, i: number) => {
      if (v === null) return;
      const last = out[out.length - 1];
      if (states && last && last.v.numeric === v && last.end === times[i]) { last.end = times[i] + step; return; }
      out.push({ from: times[i], end: times[i] + step, v: field.display!(v), r });
    });
    return out;
  });
  const ticks = Array.from({ length: 5 }, (_, i) => from + ((i + 0.5) * span) / 5);
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

// The buckets of a histogram over time, a row each, the more the less transparent.
function Heat({ panel, frame, width, height, from, to }: { panel: Json; frame: DataFrame; width: number; height: number; from: number; to: number }) {
  const [time, ...rows] = frame.fields, left = 70, each = (height - 22) / rows.length, step = time.config.interval ?? 60000;
  const most = Math.max(1, ...rows.flatMap((f) => f.values.map((v: number | null) => v ?? 0)));
  const x = (ms: number) => left + ((ms - from) / (to - from)) * (width - left - 8);
  return (
    <svg width={width} height={height} style={{ fontFamily: theme.typography.fontFamily, fontSize: 12 }}>
      {rows.map((f, r) => {
        const y = height - 22 - (r + 1) * each;
        return <g key={r}>
          <text x={left - 6} y={y + each / 2 + 4} textAnchor="end" fill={theme.colors.text.secondary}>{getFieldDisplayName(f, frame)}</text>
          {f.values.map((v: number | null, i: number) => v ? <rect key={i} x={x(time.values[i] - step)} y={y} width={Math.max(1, x(time.values[i]) - x(time.values[i] - step) - 1)} height={each - 1}
            fill={panel.options.color.fill} fillOpacity={(v / most) ** (panel.options.color.exponent ?? 0.5)} /> : null)}
        </g>;
      })}
    </svg>
  );
}

function Body({ panel, width, height }: { panel: Panel; width: number; height: number }) {
  const p = panel.state.json, failed = panel.error(), frames = panel.frames(theme), range = sceneGraph.getTimeRange(panel).state.value;
  if (failed) return <pre className="failed">{failed}</pre>;
  const empty = frames.every((f) => f.length === 0);
  if (empty && p.type !== 'stat') return <div className="nodata" style={{ textAlign: 'center', padding: 20 }}>{p.fieldConfig.defaults.noValue ?? 'No data'}</div>;
  const legend = { showLegend: true, placement: 'bottom', ...p.options.legend, displayMode: LegendDisplayMode.List, calcs: [] } as Json;
  switch (p.type) {
    case 'stat': case 'bargauge': {
      const shown = panel.values(theme);
      if (p.type === 'stat') {
        const across = p.options.orientation === 'horizontal' ? 1 : shown.length;
        return <div style={{ display: 'flex', flexWrap: 'wrap' }}>{shown.map((s, i) => (
          <BigValue key={i} value={s.display} width={width / across} height={height / (shown.length / across)} theme={theme}
            colorMode={p.options.colorMode as BigValueColorMode} graphMode={p.options.graphMode as BigValueGraphMode} sparkline={s.sparkline} textMode={p.options.textMode as BigValueTextMode} />))}</div>;
      }
      const each = Math.min(34, height / shown.length);
      return <div>{shown.map((s, i) => (
        <BarGauge key={i} value={s.display} field={{ ...s.field, max: Math.max(...shown.map((o) => o.display.numeric)) } as Json} display={s.view!.getFieldDisplayProcessor(s.colIndex!)} width={width} height={each} theme={theme}
          text={p.options.text} orientation={VizOrientation.Horizontal} displayMode={p.options.displayMode} showUnfilled itemSpacing={6} lcdCellWidth={12}
          alignmentFactors={{ title: shown.reduce((a, o) => (o.display.title!.length > a.length ? o.display.title! : a), ''), text: shown.reduce((a, o) => (o.display.text.length > a.length ? o.display.text : a), '') } as Json} />))}</div>;
    }
    case 'timeseries': return <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc" legend={legend} options={{}} />;
    case 'status-history': case 'state-timeline': {
      const states = p.type === 'state-timeline';
      return <Rows panel={p} frames={frames.filter((f) => f.length > 0)} width={width} height={height} states={states} from={range.from.valueOf()} to={range.to.valueOf()}
        legend={states ? p.fieldConfig.defaults.mappings?.[0]?.options ?? null : null} />;
    }
    case 'heatmap': return <Heat panel={p} frame={frames[0]} width={width} height={height} from={range.from.valueOf()} to={range.to.valueOf()} />;
    case 'table': return <TableNG data={frames[0]} width={width} height={height} noHeader={false} cellHeight={'sm' as Json} sortBy={p.options.sortBy} fieldConfig={p.fieldConfig}
      enableVirtualization={params.get('all') === null} frozenColumns={p.options.frozenColumns?.left} />;
  }
  return <pre className="failed">{p.type}</pre>;
}

function Dashboard({ board, width }: { board: Board; width: number }) {
  const column = (width - gap) / 24, { json } = board, opened = board.variables();
  const end = Math.max(...json.panels.map((p: Json) => p.gridPos.y + p.gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, width, padding: '12px 0 0' }}>
        <div style={{ padding: '0 12px 10px', fontSize: 18 }}>{json.title}
          {json.templating.list.filter((v: Json) => v.hide !== 2).map((v: Json) => (
            <span key={v.name} style={{ fontSize: 12, marginLeft: 14, padding: '4px 8px', background: theme.colors.background.secondary }}>
              <span style={{ color: theme.colors.text.link }}>{v.label}</span>{' '}{String(opened[v.name]).replace('$__all', 'All')}
            </span>))}
          <div style={{ fontSize: 12, color: theme.colors.text.secondary }}>A rendering with Grafana's panel parts from a simulated history, not a screenshot of a Grafana server</div>
        </div>
        <div style={{ position: 'relative', height: end * unitHeight + gap }}>
          {board.panels.filter((x) => json.panels.includes(x.state.json)).map((panel) => {
            const p = panel.state.json, g = p.gridPos, w = g.w * column - gap, h = g.h * unitHeight - gap;
            const place = { position: 'absolute' as const, left: gap + g.x * column, top: g.y * unitHeight, width: w, height: h };
            if (p.type === 'row') return <div key={p.id} style={{ ...place, fontSize: 15, fontWeight: 500, paddingTop: 4 }}>{p.collapsed ? '›' : '⌄'} {panel.text(p.title)}</div>;
            return (
              <div key={p.id} style={place} data-panel={panel.text(p.title)}>
                <PanelChrome title={panel.text(p.title)} description={p.description} width={w} height={h} padding={p.type === 'table' ? 'none' : 'md'}>
                  {(iw: number, ih: number) => p.type === 'text'
                    ? <div className="markdown-html" dangerouslySetInnerHTML={{ __html: renderMarkdown(panel.text(p.options.content)) }} />
                    : <Body panel={panel} width={iw} height={ih} />}
                </PanelChrome>
              </div>);
          })}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

// Opens the board of ?uid= as a link to it would, and draws it. The board is there for check.mjs, too.
async function main() {
  const json = await (await fetch('/dashboards/' + params.get('uid') + '.json')).json();
  const values = Object.fromEntries([...params].filter(([k]) => k.startsWith('var-')).map(([k, v]) => [k.slice(4), v]));
  const board = await new Board(json, { from: params.get('from') ?? json.time.from, to: params.get('to') ?? json.time.to, width: window.innerWidth, values }).open();
  (window as Json).board = board;
  if (params.get('draw') !== null) createRoot(document.getElementById('root')!).render(<Dashboard board={board} width={window.innerWidth} />);
  setTimeout(() => { document.title = 'drawn'; }, params.get('draw') === null ? 0 : 1500);
}
main().catch((e) => { document.body.innerHTML = '<pre class="failed">' + e + (e.stack ?? '') + '</pre>'; document.title = 'drawn'; });
