import { duration } from '../wording.ts';
import { createChart, type Chart, type CustomSeriesOption } from './chart.ts';
import { colour } from './colours.ts';
import type { PageData } from './page-data.ts';
import { CLASSES, grouped, sizeInWords } from './words.ts';

export type Tenant = PageData['tenants'][number];

/** What the colour of a tenant says. */
export interface Measure {
  readonly title: string;
  /** The custom property of its colour. */
  colourOf(tenant: Tenant): string;
  /** The colours in use, with what each says. */
  readonly legend: readonly { readonly colour: string; readonly text: string; readonly tenants: number }[];
}

/** Steps of a scale, from little to much. */
const SCALE = ['scale-1', 'scale-2', 'scale-3', 'scale-4', 'scale-5'];

/** What tenants can be coloured by; only measures of which there are values. */
export function measuresOf(tenants: readonly Tenant[]): Measure[] {
  const numbers = [
    scale(
      'Migrations behind',
      tenants,
      ({ pending }) => (pending > 0 ? pending : undefined),
      grouped,
      'none',
    ),
    scale(
      'Longest work in a run',
      tenants,
      ({ longest }) => longest?.durationMs,
      duration,
      'not in these runs',
    ),
    scale('Size', tenants, ({ bytes }) => bytes, sizeInWords, 'unknown'),
  ];
  return [byClass(tenants), ...numbers.filter((measure) => measure !== undefined)];
}

function byClass(tenants: readonly Tenant[]): Measure {
  const counts = Map.groupBy(tenants, (tenant) => tenant.class);
  return {
    title: 'State',
    colourOf: (tenant) => CLASSES[tenant.class].colour,
    legend: Object.entries(CLASSES).flatMap(([of, { label, colour }]) => {
      const members = counts.get(of as Tenant['class'])?.length ?? 0;
      return members === 0 ? [] : [{ colour, text: label, tenants: members }];
    }),
  };
}

/** The steps hold about as many tenants each. */
function scale(
  title: string,
  tenants: readonly Tenant[],
  valueOf: (tenant: Tenant) => number | undefined,
  shown: (value: number) => string,
  without: string,
): Measure | undefined {
  const values = tenants.flatMap((tenant) => valueOf(tenant) ?? []).toSorted((a, b) => a - b);
  if (values.length === 0) return undefined;
  const limits = [
    ...new Set(
      SCALE.map((_, step) => values[Math.ceil(((step + 1) * values.length) / SCALE.length) - 1] ?? 0),
    ),
  ];
  const stepOf = (value: number) => limits.findIndex((limit) => value <= limit);
  // Few steps begin with the colour that is easiest to see.
  const colours = SCALE.slice(SCALE.length - limits.length);
  const colourOf = (tenant: Tenant) => {
    const value = valueOf(tenant);
    return value === undefined ? 'empty' : (colours[stepOf(value)] ?? 'empty');
  };
  const members = Map.groupBy(values, stepOf);
  const steps = limits.map((_, step) => {
    const within = members.get(step) ?? [];
    const [least, most] = [shown(within[0] ?? 0), shown(within.at(-1) ?? 0)];
    return {
      colour: colours[step] ?? 'empty',
      text: least === most ? least : `${least} to ${most}`,
      tenants: within.length,
    };
  });
  const others = tenants.length - values.length;
  const rest = others === 0 ? [] : [{ colour: 'empty', text: without, tenants: others }];
  return { title, colourOf, legend: [...rest, ...steps] };
}

/** A cell for each tenant, in the order of the table. */
export function createHeatMap(
  tenants: readonly Tenant[],
  measure: () => Measure,
  onClick: (tenant: Tenant) => void,
): Chart {
  const label = `Heat map with a cell for each of ${grouped(tenants.length)} tenants. The table below has the same facts.`;
  const drawing = (width: number) => {
    const size = cellSize(tenants.length, width);
    const columns = Math.max(1, Math.floor(width / size));
    const outline = colour('text');
    const renderItem: CustomSeriesOption['renderItem'] = ({ dataIndex }) => ({
      type: 'rect',
      shape: {
        x: (dataIndex % columns) * size,
        y: Math.floor(dataIndex / columns) * size,
        width: size - gap(size),
        height: size - gap(size),
        r: size > 8 ? 2 : 0,
      },
      style: { fill: fills[dataIndex] ?? '' },
      emphasis: { style: { stroke: outline, lineWidth: 2 } },
    });
    const known = new Map<string, string>();
    const fills = tenants.map((tenant) => {
      const name = measure().colourOf(tenant);
      const fill = known.get(name) ?? colour(name);
      known.set(name, fill);
      return fill;
    });
    return {
      height: Math.max(1, Math.ceil(tenants.length / columns)) * size,
      option: {
        series: [
          { type: 'custom' as const, coordinateSystem: 'none', renderItem, data: tenants.map((_, at) => at) },
        ],
      },
    };
  };
  return createChart({
    label,
    drawing,
    describe: (at) => tenants.slice(at, at + 1).flatMap(describe),
    onClick: (at) => tenants.slice(at, at + 1).forEach(onClick),
  });
}

/** The largest cells of which all fit into a screen. */
function cellSize(count: number, width: number): number {
  const sizes = [26, 20, 16, 12, 10, 8, 6, 5];
  return sizes.find((size) => Math.ceil(count / Math.max(1, Math.floor(width / size))) * size <= 320) ?? 4;
}

function gap(size: number): number {
  return size > 12 ? 3 : size > 6 ? 2 : 1;
}

function describe({ clerkOrgId, schema, pending, version, longest, bytes, ...tenant }: Tenant): string[] {
  return [
    clerkOrgId,
    schema,
    `${CLASSES[tenant.class].label}${pending > 0 ? `, ${pending} pending` : ''}`,
    version ?? 'nothing applied',
    ...(longest === undefined ? [] : [`run ${longest.run}: ${duration(longest.durationMs)}`]),
    ...(bytes === undefined ? [] : [sizeInWords(bytes)]),
  ];
}
