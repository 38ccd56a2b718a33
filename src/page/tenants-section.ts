import { duration } from '../wording.ts';
import { element, nameElement, swatch } from './element.ts';
import { createHeatMap, measuresOf, type Measure, type Tenant } from './heat-map.ts';
import { paragraph, section } from './section.ts';
import { createTable, type Column, type SortableTable } from './table.ts';
import { CLASSES, grouped, sizeInWords } from './words.ts';

/** The heat map, and every tenant in a table that can be filtered. */
export function tenantsSection(tenants: readonly Tenant[]): HTMLElement {
  if (tenants.length === 0) return section('tenants', 'Tenants', paragraph('The registry has no tenants.'));
  const urgency = Object.keys(CLASSES);
  const sorted = tenants.toSorted((one, other) => urgency.indexOf(one.class) - urgency.indexOf(other.class));
  const table = createTable({ caption: 'Tenants', columns: columnsFor(tenants), rows: sorted });
  const filter = createFilter(sorted, table);
  return section(
    'tenants',
    'Tenants',
    heatMapWithLegend(sorted, (tenant) => filter.find(tenant.schema)),
    filter.box,
    table.box,
  );
}

function heatMapWithLegend(tenants: readonly Tenant[], onClick: (tenant: Tenant) => void): HTMLElement {
  const measures = measuresOf(tenants);
  let [measure] = measures as [Measure, ...Measure[]];
  const chart = createHeatMap(tenants, () => measure, onClick);
  const legend = element('ul', { class: 'legend', 'aria-label': 'Colours of the heat map' });
  const drawLegend = () =>
    legend.replaceChildren(
      ...measure.legend.map(({ colour, text, tenants }) =>
        element('li', {}, swatch(colour), `${text}: ${grouped(tenants)}`),
      ),
    );
  const select = element(
    'select',
    {
      id: 'measure',
      change() {
        measure = measures[select.selectedIndex] ?? measure;
        drawLegend();
        chart.draw();
      },
    },
    measures.map(({ title }) => element('option', {}, title)),
  );
  drawLegend();
  const choice = element('div', { class: 'controls' }, field('Colour by', select), legend);
  return element('div', {}, choice, chart.box);
}

function columnsFor(tenants: readonly Tenant[]): Column<Tenant>[] {
  const urgency = Object.keys(CLASSES);
  const columns: (Column<Tenant> & { readonly isAbsent?: boolean })[] = [
    {
      title: 'Organization',
      cell: ({ clerkOrgId }) => nameElement(clerkOrgId),
      key: ({ clerkOrgId }) => clerkOrgId,
    },
    { title: 'Schema', cell: ({ schema }) => nameElement(schema), key: ({ schema }) => schema },
    { title: 'State', cell: stateCell, key: (tenant) => urgency.indexOf(tenant.class) },
    {
      title: 'Problem',
      cell: ({ problem }) => (problem === null ? undefined : nameElement(problem)),
      key: ({ problem }) => problem ?? undefined,
      isWide: true,
      isAbsent: tenants.every(({ problem }) => problem === null),
    },
    {
      title: 'Version',
      cell: ({ version }) => (version === null ? 'none' : nameElement(version)),
      key: ({ version }) => version ?? '',
    },
    {
      title: 'Pending',
      cell: ({ pending }) => grouped(pending),
      key: ({ pending }) => pending,
      isNumber: true,
    },
    {
      title: 'Longest work',
      cell: ({ longest }) => longest && `${duration(longest.durationMs)} (run ${longest.run})`,
      key: ({ longest }) => longest?.durationMs,
      isNumber: true,
      isAbsent: tenants.every(({ longest }) => longest === undefined),
    },
    {
      title: 'Size',
      cell: ({ bytes }) => (bytes === undefined ? undefined : sizeInWords(bytes)),
      key: ({ bytes }) => bytes,
      isNumber: true,
      isAbsent: tenants.every(({ bytes }) => bytes === undefined),
    },
  ];
  return columns.filter(({ isAbsent }) => isAbsent !== true);
}

function stateCell({ class: of, status }: Tenant): HTMLElement {
  const { label, colour } = CLASSES[of];
  return element('span', { class: 'state' }, swatch(colour), of === 'notActive' ? status : label);
}

interface Filter {
  readonly box: HTMLElement;
  find(text: string): void;
}

function createFilter(tenants: readonly Tenant[], table: SortableTable<Tenant>): Filter {
  const text = element('input', { id: 'filter', type: 'search', autocomplete: 'off', input: () => apply() });
  const states = Object.entries(CLASSES).filter(([of]) => tenants.some((tenant) => tenant.class === of));
  const state = element(
    'select',
    { id: 'state', change: () => apply() },
    element('option', { value: '' }, 'all'),
    element('option', { value: 'attention' }, 'needs attention'),
    states.map(([value, { label }]) => element('option', { value }, label)),
  );
  const count = element('p', { role: 'status', class: 'note' });
  const apply = () => {
    const sought = text.value.trim().toLowerCase();
    const holds = ({ clerkOrgId, schema, version, problem }: Tenant) =>
      [clerkOrgId, schema, version ?? '', problem ?? ''].some((each) => each.toLowerCase().includes(sought));
    const isIn = (tenant: Tenant) =>
      state.value === '' ||
      tenant.class === state.value ||
      (state.value === 'attention' && tenant.code !== null);
    const found = tenants.filter((tenant) => isIn(tenant) && holds(tenant));
    count.textContent = `${grouped(found.length)} of ${grouped(tenants.length)} tenants`;
    table.show(found);
  };
  apply();
  const controls = element('div', { class: 'controls' }, field('Filter', text), field('State', state), count);
  return {
    box: controls,
    find(sought) {
      text.value = sought;
      state.value = '';
      apply();
      text.scrollIntoView({ block: 'center' });
      text.focus();
    },
  };
}

function field(label: string, control: HTMLElement): HTMLElement {
  return element('label', { for: control.id }, `${label} `, control);
}
