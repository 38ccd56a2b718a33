import { BarChart, CustomChart, type BarSeriesOption, type CustomSeriesOption } from 'echarts/charts';
import { GridComponent, type GridComponentOption } from 'echarts/components';
import { init, use, type ComposeOption, type ECElementEvent, type ECharts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { colour, onNewColours } from './colours.ts';
import { element, nameElement } from './element.ts';

use([BarChart, CustomChart, GridComponent, CanvasRenderer]);

export type ChartOption = ComposeOption<BarSeriesOption | CustomSeriesOption | GridComponentOption>;
export type { CustomSeriesOption };

export interface ChartParts {
  /** Says what it shows, and where the same facts stand as text. */
  readonly label: string;
  /** @param width in CSS pixels */
  readonly drawing: (width: number) => Drawing;
  /** Lines about what the pointer is on. @param dataIndex of the series */
  readonly describe: (dataIndex: number) => readonly string[];
  /** What it does must be possible without a chart, too. */
  readonly onClick?: (dataIndex: number) => void;
}

interface Drawing {
  /** In CSS pixels. */
  readonly height: number;
  readonly option: ChartOption;
}

export interface Chart {
  readonly box: HTMLElement;
  /** Draws it again, when what it shows has changed. */
  draw(): void;
}

/** Width of the charts on paper, in CSS pixels. */
const PAPER = 680;

/** A chart as an image with a label. It follows the width of the page and the colour scheme. */
export function createChart(parts: ChartParts): Chart {
  const canvas = element('div');
  const box = element('div', { class: 'chart', role: 'img', 'aria-label': parts.label }, canvas);
  let chart: ECharts | undefined;
  let width = 0;
  const draw = () => {
    const isPrinting = document.documentElement.hasAttribute('data-printing');
    width = isPrinting ? PAPER : box.clientWidth;
    if (width === 0) return;
    const { height, option } = parts.drawing(width);
    chart ??= open(canvas, box, parts);
    chart.resize({ width, height });
    chart.setOption({ animation: false, textStyle: TEXT, ...option }, { notMerge: true });
  };
  new ResizeObserver(() => box.clientWidth !== width && draw()).observe(box);
  onNewColours(draw);
  return { box, draw };
}

const TEXT = { fontFamily: 'system-ui, sans-serif', fontSize: 12 };

function open(canvas: HTMLElement, box: HTMLElement, { describe, onClick }: ChartParts): ECharts {
  // Sharp on paper, too.
  const chart = init(canvas, null, { renderer: 'canvas', devicePixelRatio: Math.max(2, devicePixelRatio) });
  const tooltip = element('div', { class: 'tooltip', hidden: true });
  box.append(tooltip);
  chart.on('click', ({ dataIndex }) => onClick?.(dataIndex));
  chart.on('mouseover', ({ dataIndex, event }: ECElementEvent) => {
    tooltip.replaceChildren(...describe(dataIndex).map((line) => element('div', {}, nameElement(line))));
    const { offsetX: x = 0, offsetY: y = 0 } = event ?? {};
    const isLeft = x < box.clientWidth / 2;
    tooltip.style.left = isLeft ? `${x + 14}px` : 'auto';
    tooltip.style.right = isLeft ? 'auto' : `${box.clientWidth - x + 14}px`;
    tooltip.style.top = `${y + 14}px`;
    tooltip.hidden = false;
  });
  chart.on('mouseout', () => (tooltip.hidden = true));
  return chart;
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

/**
 * A name from outside on the axis of a chart: on one line, in its own direction. The middle of a long one is left out:
 * migrations begin alike.
 * @param width in CSS pixels
 */
export function axisName(name: string, width: number): string {
  const most = Math.max(8, Math.floor(width / LETTER));
  const characters = Array.from(name.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' '));
  const tail = Math.ceil(most * 0.6);
  const shown =
    characters.length > most
      ? [...characters.slice(0, most - tail - 1), '…', ...characters.slice(-tail)]
      : characters;
  return `\u2068${shown.join('')}\u2069`;
}
