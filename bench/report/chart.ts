import { init, type EChartsOption, type LineSeriesOption } from 'echarts';
import type { RivalName } from '../rivals/rival.ts';
import { medianMs, type Measurement, type Work } from './measurement.ts';
import { RIVAL_TITLES, RIVALS } from './rival-titles.ts';

/** Paul Tol's bright scheme, distinguishable with colour blindness. */
const COLOURS: Readonly<Record<RivalName, string>> = {
  tenantctl: '#228833',
  'psql-same': '#66ccee',
  'psql-no-ledger': '#ccbb44',
  'psql-no-guard': '#bbbbbb',
  psql: '#bbbbbb',
  knex: '#ee6677',
  'node-pg-migrate': '#4477aa',
  dbmate: '#aa3377',
};

const PANELS = [
  { work: 'no-op', title: 'Nothing pending' },
  { work: 'add', title: 'One ALTER TABLE for each tenant' },
] as const satisfies readonly { work: Work; title: string }[];

/** Log-log chart of time by fleet size, a line per rival; undefined without figures. */
export function toChart(growth: readonly Measurement[]): string | undefined {
  const rivals = RIVALS.filter((name) => growth.some(({ rival }) => rival === name));
  if (rivals.length === 0) return undefined;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 960, height: 460 });
  const tenants = growth.map((each) => each.tenants);
  const option: EChartsOption = {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'Helvetica, Arial, sans-serif' },
    legend: { bottom: 24, itemGap: 36, icon: 'circle', data: rivals.map((name) => RIVAL_TITLES[name]) },
    title: [
      ...PANELS.map(({ title }, index) => ({
        text: title,
        left: `${25 + 50 * index}%`,
        textAlign: 'center' as const,
        textStyle: { fontSize: 15 },
      })),
      {
        text: 'hollow: extrapolated from the first tenants of the same fleet',
        bottom: 2,
        left: 'center',
        textStyle: { fontSize: 12, fontWeight: 'normal', color: '#555555' },
      },
    ],
    grid: PANELS.map((_, index) => ({
      left: `${7 + 50 * index}%`,
      width: '40%',
      top: 64,
      bottom: 100,
    })),
    xAxis: PANELS.map((_, gridIndex) => ({
      type: 'log',
      gridIndex,
      name: 'tenants',
      nameLocation: 'middle',
      nameGap: 28,
      min: Math.min(...tenants),
      max: Math.max(...tenants),
      axisLabel: { formatter: (value: number) => value.toLocaleString('en-US') },
    })),
    yAxis: PANELS.map((_, gridIndex) => ({
      type: 'log',
      gridIndex,
      name: 'seconds',
      axisLabel: { formatter: (value: number) => value.toLocaleString('en-US') },
    })),
    series: PANELS.flatMap(({ work }, panel) => rivals.map((rival) => toLine(growth, work, rival, panel))),
  };
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function toLine(
  growth: readonly Measurement[],
  work: Work,
  rival: RivalName,
  panel: number,
): LineSeriesOption {
  const own = growth.filter((each) => each.work === work && each.rival === rival);
  const sizes = [...new Set(own.map(({ tenants }) => tenants))].toSorted((a, b) => a - b);
  return {
    type: 'line',
    name: RIVAL_TITLES[rival],
    xAxisIndex: panel,
    yAxisIndex: panel,
    color: COLOURS[rival],
    symbolSize: 9,
    data: sizes.map((size) => {
      const measured = own.filter(({ tenants }) => tenants === size);
      const isEstimate = measured.some(({ served }) => served < size);
      return {
        value: [size, (medianMs(measured, rival) ?? Number.NaN) / 1000],
        symbol: isEstimate ? 'emptyCircle' : 'circle',
      };
    }),
  };
}
