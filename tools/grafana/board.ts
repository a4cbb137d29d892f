// A dashboard as Grafana opens it: its JSON becomes a scene of @grafana/scenes, with the variables,
// queries, intervals and transformations of Grafana's own code and its Prometheus data source.
import {
  applyFieldOverrides, cacheFieldDisplayNames, createTheme, DataFrame, DataSourceInstanceSettings, FieldConfigOptionsRegistry, FieldConfigPropertyItem, formattedValueToString,
  getFieldDisplayName, getFieldDisplayValues, identityOverrideProcessor, LoadingState, PanelData, standardTransformers, standardTransformersRegistry,
} from '@grafana/data';
import { PrometheusDatasource } from '@grafana/prometheus';
import { setBackendSrv, setDataSourceSrv, setRunRequest, setTemplateSrv } from '@grafana/runtime';
import {
  ConstantVariable, CustomVariable, DataSourceVariable, IntervalVariable, QueryVariable, sceneGraph, SceneDataTransformer, SceneObject, SceneObjectBase, SceneObjectState,
  SceneQueryRunner, SceneTimeRange, SceneVariable, SceneVariableSet, TextBoxVariable,
} from '@grafana/scenes';
import { map } from 'rxjs';
import { asked, backend } from './backend';

export type Json = any; // a dashboard's JSON is checked by schema.mjs and by the Go tests

// The data sources of this Grafana, by name as it lists them. The first is nobody's default.
const meta = { id: 'prometheus', metrics: true, mixed: false } as Json;
const sources: DataSourceInstanceSettings<Json>[] = ['A test Prometheus', 'Main', 'Other'].map((name, id) => ({
  id, uid: name.split(' ')[0].toLowerCase(), name, type: 'prometheus', access: 'proxy', url: '/', meta, readOnly: false, jsonData: { httpMethod: 'GET', timeInterval: '1m' }, isDefault: name === 'Main',
}));
export const defaultSource = 'main';

function setUp() {
  const transformers = new Map<string, Json>(Object.values(standardTransformers).map((t: Json) => [t.id, t])); // some have two names
  standardTransformersRegistry.setInit(() => [...transformers.values()].map((t) => ({
    id: t.id, name: t.name, transformation: () => Promise.resolve(t), editor: () => null, imageDark: '', imageLight: '',
  }) as Json));
  const instances = new Map<string, PrometheusDatasource>();
  const settings = (ref: Json, scoped?: Json) => {
    const uid = interpolate(typeof ref === 'string' ? ref : ref?.uid ?? 'default', scoped);
    return uid === 'default' ? sources.find((s) => s.isDefault) : sources.find((s) => s.uid === uid || s.name === uid);
  };
  const interpolate = (text = '', scoped: Json = {}, format?: Json) => {
    const object: SceneObject | undefined = scoped?.__sceneObject?.value?.valueOf() ?? current;
    return object ? sceneGraph.interpolate(object, text, scoped, format) : text;
  };
  setTemplateSrv({ replace: interpolate, getVariables: () => [], containsTemplate: (t?: string) => /\$/.test(t ?? ''), updateTimeRange: () => {} } as Json);
  setBackendSrv(backend as Json);
  setDataSourceSrv({
    getList: (f: Json = {}) => sources.filter((s) => !f.pluginId || s.type === f.pluginId),
    getInstanceSettings: settings,
    get: async (ref: Json, scoped: Json) => {
      const s = settings(ref, scoped);
      if (!s) throw new Error('no data source ' + JSON.stringify(ref));
      if (!instances.has(s.uid)) instances.set(s.uid, new PrometheusDatasource(s));
      return instances.get(s.uid);
    },
    reload: () => {}, registerRuntimeDataSource: () => {},
  } as Json);
  setRunRequest(((ds: Json, request: Json, query?: Json) => (query ? query(request) : ds.query(request)).pipe(
    map((r: Json): PanelData => ({
      state: r.error || r.errors?.length ? LoadingState.Error : LoadingState.Done, series: r.data, timeRange: request.range, request, errors: r.errors, error: r.error ?? r.errors?.[0],
    })),
  )) as Json);
}

// The scene of the open board, for what is interpolated outside of it.
let current: SceneObject | undefined;

// What the panels of Grafana register: that these options may be overridden.
const item = (path: string, isCustom: boolean): FieldConfigPropertyItem => ({
  id: isCustom ? 'custom.' + path : path, path, isCustom, name: path, editor: () => null, override: () => null,
  process: identityOverrideProcessor, shouldApply: () => true, settings: {},
}) as Json;
const registry = new FieldConfigOptionsRegistry(() => [
  ...['unit', 'min', 'max', 'decimals', 'color', 'thresholds', 'mappings', 'links', 'actions', 'noValue', 'displayName', 'description', 'filterable'].map((p) => item(p, false)),
  ...['axisSoftMax', 'axisSoftMin', 'axisPlacement', 'axisLabel', 'barAlignment', 'drawStyle', 'lineInterpolation', 'lineWidth', 'lineStyle', 'fillOpacity', 'fillBelowTo', 'showPoints', 'pointSize', 'spanNulls',
    'stacking', 'thresholdsStyle', 'hideFrom', 'scaleDistribution', 'align', 'cellOptions', 'inspect', 'filterable', 'width', 'minWidth', 'hidden', 'footer', 'wrapText', 'wrapHeaderText'].map((p) => item(p, true)),
]);

interface PanelState extends SceneObjectState { json: Json; $data?: SceneDataTransformer }
export class Panel extends SceneObjectBase<PanelState> {
  // The frames as the panel gets them, with field options applied.
  frames(theme = createTheme()): DataFrame[] {
    const data = this.state.$data?.state.data;
    const frames = applyFieldOverrides({
      data: data?.series ?? [], fieldConfig: this.state.json.fieldConfig, theme, timeZone: 'utc', fieldConfigRegistry: registry,
      replaceVariables: (t: string, scoped?: Json, format?: Json) => sceneGraph.interpolate(this, t, scoped, format),
    });
    cacheFieldDisplayNames(frames);
    return frames;
  }
  text(t = '') { return sceneGraph.interpolate(this, t); }
  error() { const d = this.state.$data?.state.data; return d?.error?.message ?? d?.errors?.[0]?.message ?? ''; }
  get runner() { return this.state.$data?.state.$data as SceneQueryRunner | undefined; }
  // What a panel of single numbers writes, and in which colours.
  values(theme = createTheme()) {
    const p = this.state.json;
    return getFieldDisplayValues({
      data: this.frames(theme), theme, reduceOptions: p.options.reduceOptions, fieldConfig: p.fieldConfig, timeZone: 'utc',
      replaceVariables: (t: string, scoped: Json, format: Json) => sceneGraph.interpolate(this, t, scoped, format),
    } as Json);
  }
}
interface RootState extends SceneObjectState { panels: Panel[] }
class Root extends SceneObjectBase<RootState> {}

// variable does with a variable's JSON what Grafana's dashboard page does.
function variable(v: Json): SceneVariable {
  const common = { name: v.name, label: v.label, description: v.description, hide: v.hide, skipUrlSync: v.skipUrlSync };
  const value = v.current?.value ?? '', text = v.current?.text ?? '';
  const many = { value, text, isMulti: v.multi, allValue: v.allValue || undefined, includeAll: v.includeAll, defaultToAll: Boolean(v.includeAll) };
  switch (v.type) {
    case 'query': return new QueryVariable({ ...common, ...many, query: v.query, datasource: v.datasource, sort: v.sort, refresh: v.refresh, regex: v.regex, allowCustomValue: v.allowCustomValue });
    case 'datasource': return new DataSourceVariable({ ...common, ...many, regex: v.regex, pluginId: v.query, defaultOptionEnabled: value === 'default' && text === 'default' });
    case 'custom': return new CustomVariable({ ...common, ...many, query: v.query });
    case 'textbox': return new TextBoxVariable({ ...common, value: String(value || v.query || '') });
    case 'constant': return new ConstantVariable({ ...common, value: v.query });
    case 'interval': return new IntervalVariable({ ...common, value, intervals: v.query.split(','), autoEnabled: v.auto, autoStepCount: v.auto_count, autoMinInterval: v.auto_min });
  }
  throw new Error('a variable of type ' + v.type);
}

export interface Options { from: string; to: string; width: number; values: Record<string, string> }

export class Board {
  readonly root: Root;
  constructor(readonly json: Json, o: Options) {
    const column = (o.width - 8) / 24;
    const panels = json.panels.flatMap((p: Json) => [p, ...(p.panels ?? [])]).map((p: Json) => {
      if (!p.targets?.length) return new Panel({ json: p });
      const runner = new SceneQueryRunner({
        datasource: p.datasource, queries: p.targets, minInterval: p.interval, maxDataPoints: p.maxDataPoints, maxDataPointsFromWidth: true,
      });
      runner.setContainerWidth(Math.floor(p.gridPos.w * column - 8 - 16));
      return new Panel({ json: p, $data: new SceneDataTransformer({ $data: runner, transformations: p.transformations ?? [] }) });
    });
    const variables = new SceneVariableSet({ variables: json.templating.list.map(variable) });
    const url: Record<string, string> = Object.fromEntries(Object.entries(o.values).map(([k, v]) => ['var-' + k, v]));
    for (const v of variables.state.variables) if (url['var-' + v.state.name] !== undefined) v.urlSync?.updateFromUrl(url);
    this.root = new Root({ panels, $variables: variables, $timeRange: new SceneTimeRange({ from: o.from, to: o.to, timeZone: 'utc' }) });
    current = this.root;
  }

  // open runs everything that runs when a page opens, and returns when all of it has ended.
  async open() {
    this.root.activate();
    for (const p of this.root.state.panels) p.activate();
    await this.settled();
    return this;
  }

  // refresh is what the refresh button and the automatic refresh do.
  async refresh() {
    sceneGraph.getTimeRange(this.root).onRefresh();
    await this.settled();
  }

  async settled() {
    const busy = () => this.root.state.panels.some((p) => p.runner && ![LoadingState.Done, LoadingState.Error].includes(p.state.$data!.state.data?.state as LoadingState))
      || this.root.state.$variables!.state.variables.some((v) => v.state.loading || this.root.state.$variables!.isVariableLoadingOrWaitingToUpdate(v));
    for (let quiet = 0; quiet < 3; quiet = busy() ? 0 : quiet + 1) await new Promise((r) => setTimeout(r, 50));
  }

  get panels() { return this.root.state.panels; }

  variables(): Record<string, Json> {
    return Object.fromEntries(this.root.state.$variables!.state.variables.map((v: Json) => [v.state.name, v.state.value]));
  }
  options(): Record<string, Json> {
    return Object.fromEntries(this.root.state.$variables!.state.variables.map((v: Json) => [v.state.name, v.state.options?.map((o: Json) => o.value) ?? []]));
  }
  asked() { return [...asked]; }
  forget() { asked.clear(); }

  // What can be read on the page, for the test.
  titles() { return this.panels.map((p) => ({ id: p.state.json.id, type: p.state.json.type, title: p.text(p.state.json.title), error: p.error() })); }

  tables() {
    return this.panels.filter((p) => p.state.json.type === 'table').map((p) => {
      const [f] = p.frames();
      const fields = f?.fields.filter((x) => !x.config.custom?.hidden && !x.config.custom?.hideFrom?.viz) ?? [];
      return {
        title: p.text(p.state.json.title), error: p.error(), empty: p.state.json.fieldConfig?.defaults?.noValue ?? 'No data',
        columns: fields.map((x) => getFieldDisplayName(x, f)), units: fields.map((x) => x.config.unit ?? ''),
        rows: Array.from({ length: f?.length ?? 0 }, (_, i) => fields.map((x) => formattedValueToString(x.display!(x.values[i])))),
        links: Array.from({ length: f?.length ?? 0 }, (_, i) => fields.flatMap((x) => x.getLinks?.({ valueRowIndex: i }).map((l) => l.href) ?? [])),
      };
    });
  }

  numbers() {
    return this.panels.filter((p) => p.state.json.type === 'stat').map((p) => ({
      title: p.text(p.state.json.title), error: p.error(),
      values: p.values().map((v) => ({ name: v.display.title ?? '', text: formattedValueToString(v.display), color: v.display.color ?? '' })),
    }));
  }

  // The cells of rows over time: the sum of each row, and what was asked.
  history() {
    return this.panels.filter((p) => p.state.json.type === 'status-history').map((p) => ({
      title: p.text(p.state.json.title), error: p.error(),
      rows: p.frames().filter((f) => f.length > 0).map((f) => ({
        labels: f.fields[1].labels ?? {}, expr: f.meta?.executedQueryString?.replace('Expr: ', '') ?? '', step: f.fields[0].config.interval ?? 0,
        first: f.fields[0].values[0], last: f.fields[0].values[f.length - 1], cells: f.length,
        sum: f.fields[1].values.reduce((a: number, b: number | null) => a + (b ?? 0), 0),
        shown: f.fields[1].values.reduce((a: number, b: number | null) => a + (b === null ? 0 : Number(formattedValueToString(f.fields[1].display!(b)).replace(/[^0-9.]/g, ''))), 0),
      })),
    }));
  }

  // The states of rows over time: name, and each text with its colour.
  states() {
    return this.panels.filter((p) => p.state.json.type === 'state-timeline').map((p) => ({
      title: p.text(p.state.json.title), error: p.error(),
      rows: p.frames().filter((f) => f.length > 0).map((f, _, all) => ({
        name: getFieldDisplayName(f.fields[1], f, all),
        states: [...new Set(f.fields[1].values.filter((v: Json) => v !== null).map((v: Json) => { const d = f.fields[1].display!(v); return formattedValueToString(d) + ' ' + d.color; }))] as string[],
      })),
    }));
  }

  links(): string[] { return [...(this.json.links ?? []), ...this.panels.flatMap((p) => p.state.json.links ?? [])].map((l: Json) => this.panels[0].text(l.url ?? '')); }
}

setUp();
