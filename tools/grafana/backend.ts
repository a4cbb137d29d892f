// What Grafana's server does for the Prometheus data source: it has no npm package. It aligns the
// range to the step, replaces $__interval and its like, and makes a frame of each series.
import { dateTime, rangeUtil } from '@grafana/data';
import type { BackendSrvRequest, FetchResponse } from '@grafana/runtime';
import { from as observe, Observable } from 'rxjs';

type Json = any;

// The data sources that were asked for anything.
export const asked = new Set<string>();

const scrapeInterval = 15; // seconds: the default of a data source

async function prometheus(uid: string, path: string, params: Record<string, Json>): Promise<Json> {
  asked.add(uid);
  const form = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    for (const one of Array.isArray(v) ? v : [v]) if (one !== undefined) form.append(k, String(one));
  }
  const r = await fetch(`/prometheus/${uid}/${path.replace(/^\//, '')}?${form}`);
  const j = await r.json();
  if (j.status !== 'success') throw new Error(j.error);
  return j;
}

const seconds = (s: number) => rangeUtil.secondsToHms(s).replace(/ /g, '');

function interpolated(expr: string, step: number, range: number): string {
  const rate = Math.max(step + scrapeInterval, 4 * scrapeInterval);
  const values: Record<string, string> = {
    __interval_ms: String(step * 1000), __interval: seconds(step), __range_ms: String(range * 1000), __range_s: String(range),
    __range: range + 's', __rate_interval_ms: String(rate * 1000), __rate_interval: seconds(rate),
  };
  return expr.replace(/\$\{(__\w+)\}|\$(__\w+)/g, (all, a, b) => values[a ?? b] ?? all);
}

const labelText = (labels: Record<string, string>) => '{' + Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(', ') + '}';

const special: Record<string, string> = { NaN: 'NaN', '+Inf': 'Inf', '-Inf': 'NegInf' };

function frame(query: Json, expr: string, series: Json, step: number): Json {
  const { __name__: metric, ...labels } = series.metric;
  const points: [number, string][] = series.values ?? [series.value];
  const entities: Json = { NaN: [], Inf: [], NegInf: [] };
  const values = points.map(([, v], i) => {
    if (special[v] === undefined) return Number(v);
    entities[special[v]].push(i);
    return null;
  });
  const legend = (query.legendFormat ?? '').replace(/\{\{\s*(.+?)\s*\}\}/g, (_: string, l: string) => series.metric[l] ?? '');
  const name = query.legendFormat === '__auto' ? '' : legend || (metric ?? '') + labelText(labels);
  return {
    schema: {
      refId: query.refId, name, meta: { type: 'timeseries-multi', custom: { resultType: series.values ? 'matrix' : 'vector' }, executedQueryString: 'Expr: ' + expr },
      fields: [
        { name: 'Time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval: step * 1000 } },
        { name: metric ?? 'Value', type: 'number', typeInfo: { frame: 'float64' }, labels: series.metric, config: name ? { displayNameFromDS: name } : {} },
      ],
    },
    data: { values: [points.map(([at]) => Math.round(at * 1000)), values], entities: [null, entities] },
  };
}

async function run(query: Json, from: number, to: number): Promise<Json> {
  const resolution = query.maxDataPoints || 1500;
  const least = query.interval ? rangeUtil.intervalToSeconds(query.interval) : (query.intervalMs || scrapeInterval * 1000) / 1000;
  const exact = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: '', to: '' } };
  const least11000 = rangeUtil.calculateInterval(exact, 11000).intervalMs / 1000;
  const step = Math.max(rangeUtil.calculateInterval(exact, resolution, least + 's').intervalMs / 1000, least11000) * (query.intervalFactor || 1);
  const expr = interpolated(query.expr, step, Math.round(to - from));
  const align = (t: number) => Math.floor((t + (query.utcOffsetSec ?? 0)) / step) * step - (query.utcOffsetSec ?? 0);
  const uid = query.datasource.uid;
  const { data } = query.instant
    ? await prometheus(uid, 'api/v1/query', { query: expr, time: to })
    : await prometheus(uid, 'api/v1/query_range', { query: expr, start: align(from), end: align(to), step });
  const result = data.resultType === 'scalar' ? [{ metric: {}, value: data.result }] : data.result;
  const frames = result.map((s: Json) => frame(query, expr, s, step));
  return { status: 200, frames: frames.length ? frames : [{ schema: { refId: query.refId, meta: { executedQueryString: 'Expr: ' + expr }, fields: [] }, data: { values: [] } }] };
}

async function answer(r: BackendSrvRequest): Promise<Json> {
  if (r.url.startsWith('/api/ds/query')) {
    const results: Json = {};
    for (const q of r.data.queries) {
      try {
        results[q.refId] = await run(q, Number(r.data.from) / 1000, Number(r.data.to) / 1000);
      } catch (e) {
        results[q.refId] = { status: 400, error: String(e), frames: [] };
      }
    }
    return { results };
  }
  const resource = r.url.match(/^\/api\/datasources\/uid\/([^/]+)\/resources\/(.+)$/);
  if (!resource) throw new Error('no such part of the server: ' + r.url);
  return prometheus(resource[1], resource[2], { ...r.params, ...(r.data ?? {}) });
}

export const backend = {
  fetch: (r: BackendSrvRequest): Observable<FetchResponse<Json>> =>
    observe(answer(r).then((data) => ({ data, ok: true, status: 200, statusText: 'OK', headers: new Headers(), redirected: false, type: 'basic' as const, url: r.url, config: r }))),
  get: async (url: string, params?: Json) => answer({ url, params, method: 'GET' }),
  post: async (url: string, data?: Json) => answer({ url, data, method: 'POST' }),
  resolveCancelerIfExists: () => {},
};
