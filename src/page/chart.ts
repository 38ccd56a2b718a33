import { BarChart, CustomChart, type BarSeriesOption, type CustomSeriesOption } from 'echarts/charts';
import {
  GridComponent,
  TooltipComponent,
  type GridComponentOption,
  type TooltipComponentOption,
} from 'echarts/components';
import { init, use, type ComposeOption, type ECharts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { colour, onNewColours } from './colours.ts';
import { element } from './element.ts';

use([BarChart, CustomChart, GridComponent, TooltipComponent, CanvasRenderer]);

export type ChartOption = ComposeOption<
  BarSeriesOption | CustomSeriesOption | GridComponentOption | TooltipComponentOption
>;
export type { BarSeriesOption, CustomSeriesOption };

export interface Chart {
  readonly box: HTMLElement;
  /** Draws it again, when what it shows has changed. */
  draw(): void;
}

interface Drawing {
  /** In CSS pixels. */
  readonly height: number;
  readonly option: ChartOption;
}

/** Width of the charts on paper, in CSS pixels. */
const PAPER = 680;

/**
 * A chart as an image with a label. It follows the width of the page and the colour scheme.
 * @param label says what it shows, and where the same facts stand as text
 * @param drawing for a width in CSS pixels
 * @param onClick gets the index of what was clicked; what it does must be possible without a chart, too
 */
export function createChart(
  label: string,
  drawing: (width: number) => Drawing,
  onClick?: (dataIndex: number) => void,
): Chart {
  const box = element('div', { class: 'chart', role: 'img', 'aria-label': label });
  let chart: ECharts | undefined;
  let width = 0;
  const draw = () => {
    const isPrinting = document.documentElement.hasAttribute('data-printing');
    width = isPrinting ? PAPER : box.clientWidth;
    if (width === 0) return;
    const { height, option } = drawing(width);
    chart ??= open(box, onClick);
    chart.resize({ width, height });
    chart.setOption({ animation: false, textStyle: textStyle(), ...option }, { notMerge: true });
  };
  new ResizeObserver(() => box.clientWidth !== width && draw()).observe(box);
  onNewColours(draw);
  return { box, draw };
}

function textStyle() {
  return { color: colour('text'), fontFamily: 'system-ui, sans-serif', fontSize: 12 };
}

function open(box: HTMLElement, onClick: ((dataIndex: number) => void) | undefined): ECharts {
  // Sharp on paper, too.
  const chart = init(box, null, { renderer: 'canvas', devicePixelRatio: Math.max(2, devicePixelRatio) });
  chart.on('click', ({ dataIndex }) => onClick?.(dataIndex));
  return chart;
}

/** A tooltip that ECharts draws itself: as HTML it would need style attributes. */
export function tooltip(textOf: (dataIndex: number) => string): TooltipComponentOption {
  return {
    renderMode: 'richText',
    confine: true,
    backgroundColor: colour('surface'),
    borderColor: colour('line'),
    borderWidth: 1,
    textStyle: { ...textStyle(), lineHeight: 17 },
    formatter: (shown) => textOf((Array.isArray(shown) ? shown[0] : shown)?.dataIndex ?? -1),
  };
}

/** How the axes look. */
export function axisLook() {
  return {
    axisLine: { lineStyle: { color: colour('line') } },
    axisTick: { show: false },
    axisLabel: { color: colour('muted') },
    splitLine: { lineStyle: { color: colour('line') } },
  };
}

/** Average width of a letter on an axis, in CSS pixels. */
const LETTER = 6.8;

/** The characters of a name that fit. @param width in CSS pixels */
export function lettersIn(width: number): number {
  return Math.max(8, Math.floor(width / LETTER));
}

/**
 * A name from outside for a chart: on one line, in its own direction, without ECharts' markup. The middle of a long one
 * is left out: migrations begin alike.
 */
export function plainName(name: string, most = 60): string {
  const characters = Array.from(name.replaceAll(/[\p{Cc}\u2028\u2029{}|]/gu, ' '));
  const tail = Math.ceil(most * 0.6);
  const cut =
    characters.length > most
      ? [...characters.slice(0, most - tail - 1), '…', ...characters.slice(-tail)]
      : characters;
  return `\u2068${cut.join('')}\u2069`;
}
