import { duration } from '../wording.ts';
import { axisLook, createChart, type Chart, type CustomSeriesOption } from './chart.ts';
import { colour } from './colours.ts';
import type { PageData } from './page-data.ts';
import { grouped, OUTCOMES, timeInWords } from './words.ts';

export type Run = PageData['runs'][number];

const LANE = 34;
const BAR = 18;
/** A run of some seconds among weeks can still be seen. */
const LEAST_WIDTH = 6;
const LEAST_SPAN_MS = 60_000;

/**
 * A lane for each command, a bar for each run. What failed is drawn last.
 * @param now the time of the report, for runs without an end
 */
export function createTimeline(runs: readonly Run[], now: string): Chart {
  const commands = [...new Set(runs.map(({ command }) => command))].toSorted();
  const drawn = runs.toSorted(
    (one, other) => Number(one.outcome !== 'done') - Number(other.outcome !== 'done') || one.id - other.id,
  );
  const startOf = (run: Run) => Date.parse(run.startedAt);
  const endOf = (run: Run) => Date.parse(run.endedAt ?? (run.outcome === 'at-work' ? now : run.startedAt));
  const [first, last] = [Math.min(...runs.map(startOf)), Math.max(...runs.map(endOf))];
  const margin = Math.max(last - first, LEAST_SPAN_MS) * 0.03;
  const renderItem: CustomSeriesOption['renderItem'] = ({ dataIndex }, api) => {
    const run = drawn[dataIndex];
    if (run === undefined) return null;
    const lane = commands.indexOf(run.command);
    const [left = 0, top = 0] = api.coord([startOf(run), lane]);
    const [right = 0] = api.coord([endOf(run), lane]);
    return {
      type: 'rect',
      shape: { x: left, y: top - BAR / 2, width: Math.max(right - left, LEAST_WIDTH), height: BAR, r: 2 },
      style: { fill: colour(OUTCOMES[run.outcome].colour), stroke: colour('surface'), lineWidth: 1 },
    };
  };
  const label = `Timeline of ${grouped(runs.length)} runs by command. The table below has the same facts.`;
  const drawing = (width: number) => ({
    height: commands.length * LANE + 28,
    option: {
      useUTC: true,
      grid: { left: width < 500 ? 108 : 140, right: 12, top: 4, bottom: 24 },
      xAxis: {
        type: 'time' as const,
        min: first - margin,
        max: last + margin,
        splitNumber: Math.max(2, Math.round(width / 160)),
        ...axisLook(),
        axisLabel: { color: colour('muted'), hideOverlap: true },
      },
      yAxis: {
        type: 'category' as const,
        inverse: true,
        data: commands,
        ...axisLook(),
        axisLabel: { color: colour('text'), interval: 0 },
        splitLine: { show: true, lineStyle: { color: colour('line') } },
      },
      series: [
        {
          type: 'custom' as const,
          renderItem,
          clip: true,
          data: drawn.map((run) => [startOf(run), commands.indexOf(run.command)]),
        },
      ],
    },
  });
  return createChart({ label, drawing, describe: (at) => drawn.slice(at, at + 1).flatMap(describe) });
}

function describe({ id, command, outcome, startedAt, durationMs, causes }: Run): string[] {
  return [
    `${id}: ${command}, ${OUTCOMES[outcome].label}`,
    `${timeInWords(startedAt)} UTC${durationMs === null ? '' : `, ${duration(durationMs)}`}`,
    ...causes.slice(0, 3).map(({ tenants, message }) => `${tenants} × ${message}`),
  ];
}
