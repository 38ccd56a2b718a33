import { axisLook, axisName, createChart, type Chart } from './chart.ts';
import { colour } from './colours.ts';

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The value for people. */
  readonly shown: string;
  /** A custom property of page.css. */
  readonly colour: string;
}

const ROW = 26;

/** Horizontal bars, the first at the top. */
export function createBars(label: string, bars: readonly Bar[]): Chart {
  const drawing = (width: number) => {
    const names = Math.min(300, Math.round(width * 0.4));
    return {
      height: bars.length * ROW + 8,
      option: {
        grid: { left: names, right: 84, top: 0, bottom: 8 },
        xAxis: { type: 'value' as const, show: false, min: 0 },
        yAxis: {
          type: 'category' as const,
          inverse: true,
          data: bars.map(({ name }) => axisName(name, names - 12)),
          ...axisLook(),
          axisLabel: { color: colour('text'), interval: 0 },
        },
        series: [
          {
            type: 'bar' as const,
            barMaxWidth: 16,
            barMinHeight: 2,
            data: bars.map((bar) => ({
              value: bar.value,
              itemStyle: { color: colour(bar.colour), borderRadius: [0, 3, 3, 0] },
            })),
            label: {
              show: true,
              position: 'right' as const,
              color: colour('text'),
              formatter: ({ dataIndex }: { readonly dataIndex: number }) => bars[dataIndex]?.shown ?? '',
            },
          },
        ],
      },
    };
  };
  const describe = (at: number) => [bars[at]?.name ?? '', bars[at]?.shown ?? ''];
  return createChart({ label, drawing, describe });
}
