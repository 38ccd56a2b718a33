import { axisLook, createChart, lettersIn, plainName, tooltip, type Chart } from './chart.ts';
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
  return createChart(label, (width) => {
    const names = Math.min(300, Math.round(width * 0.4));
    return {
      height: bars.length * ROW + 8,
      option: {
        grid: { left: names, right: 84, top: 0, bottom: 8 },
        tooltip: tooltip((at) => `${plainName(bars[at]?.name ?? '', 200)}\n${bars[at]?.shown}`),
        xAxis: { type: 'value', show: false, min: 0 },
        yAxis: {
          type: 'category',
          inverse: true,
          data: bars.map(({ name }) => plainName(name, lettersIn(names - 12))),
          ...axisLook(),
          axisLabel: { color: colour('text'), interval: 0 },
        },
        series: [
          {
            type: 'bar',
            barMaxWidth: 16,
            barMinHeight: 2,
            data: bars.map((bar) => ({
              value: bar.value,
              itemStyle: { color: colour(bar.colour), borderRadius: [0, 3, 3, 0] },
            })),
            label: {
              show: true,
              position: 'right',
              color: colour('text'),
              formatter: ({ dataIndex }) => bars[dataIndex]?.shown ?? '',
            },
          },
        ],
      },
    };
  });
}
