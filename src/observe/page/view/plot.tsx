/** A plot over time, drawn by uPlot. Plots of one screen share the cursor and the zoomed range. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { clock } from '../data/clock.js';
import { useTheme } from './theme.js';

export interface Line {
  readonly name: string;
  /** A custom property of the style sheet, such as `--cpu`, whose value is `#rrggbb`. */
  readonly colour: string;
  /** Dashed and without an area below it: a limit. */
  readonly limit?: boolean;
}

/** Times in seconds since the epoch, and for each line a value per time; null where it is not known. */
export interface PlotData {
  readonly times: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
}

export interface Mark {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly colour: string;
}

export interface PlotProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly data: PlotData;
  readonly marks: readonly Mark[];
  readonly format: (value: number) => string;
  /** The axis reaches at least this value, so that a job that idles looks idle. */
  readonly least?: number;
  /** The axis counts in powers of two: bytes. */
  readonly binary?: boolean;
}

const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);
const HEIGHT_PX = 150;

export function Plot(props: PlotProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const latest = useRef(props);
  latest.current = props;
  const [at, setAt] = useState<number | null>(null);
  const theme = useTheme();
  const names = props.lines.map(({ name }) => name).join('\n');
  // The lines' names and the theme decide what is drawn; data come below.
  // They are not read, they are the reason to draw anew.
  useEffect(() => {
    const element = holder.current as HTMLDivElement;
    const made = new uPlot(options(element, latest, setAt), aligned(latest.current.data), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [names, theme]);
  useEffect(() => {
    const zoomed = plot.current !== null && isZoomed(plot.current);
    plot.current?.setData(aligned(props.data), !zoomed);
    if (zoomed) plot.current?.redraw();
  }, [props.data]);
  return (
    <figure class="plot card">
      <figcaption>
        <h3>{props.title}</h3>
        <Legend {...props} at={at} />
      </figcaption>
      <div ref={holder} class="canvas" role="img" aria-label={inWords(props)} />
    </figure>
  );
}

/** The values under the cursor, or the last ones. */
function Legend({ lines, data, format, at }: PlotProps & { readonly at: number | null }): JSX.Element {
  const index = at ?? data.times.length - 1;
  const time = data.times[index];
  return (
    <ul class="legend">
      {at !== null && time !== undefined && <li class="faint number">{clock(time * 1000)}</li>}
      {lines.map((line, number) => {
        const value = valueAt(data.values[number] ?? [], index, at === null);
        return (
          <li key={line.name}>
            <i style={{ background: `var(${line.colour})` }} class={line.limit ? 'limit' : ''} />
            {line.name} <b class="number">{value === null ? '–' : format(value)}</b>
          </li>
        );
      })}
    </ul>
  );
}

/** @param back whether an older value will do where that one is not known */
function valueAt(values: readonly (number | null)[], index: number, back: boolean): number | null {
  for (let i = index; i >= 0; i--) {
    const value = values[i] ?? null;
    if (value !== null || !back) return value;
  }
  return null;
}

function inWords({ title, lines, data, format }: PlotProps): string {
  const said = lines.map(({ name }, index) => {
    const values = (data.values[index] ?? []).filter((value) => value !== null);
    if (values.length === 0) return `${name}: no data`;
    const most = values.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
    return `${name}: now ${format(values.at(-1) as number)}, at most ${format(most)}`;
  });
  return `${title}. ${said.join('. ')}`;
}

function options(
  element: HTMLElement,
  latest: { readonly current: PlotProps },
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--ink-faint'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const { lines, format, binary } = latest.current;
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { sync: { key: 'job', setSeries: false }, points: { size: 6 }, y: false, drag: { x: true, y: false } },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, Math.max(high * 1.08, latest.current.least ?? 0, 1e-9)] },
    },
    axes: [
      { ...axis, space: 70, size: 28, values: (_plot, splits) => splits.map((second) => clock(second * 1000, splits)) },
      {
        ...axis,
        size: 74,
        space: 26,
        ...(binary === true ? { incrs: BINARY_STEPS } : {}),
        values: (_plot, splits) => splits.map(format),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: line.limit ? 1.25 : 1.75,
        ...(line.limit ? { dash: [5, 4] } : { fill: `${colour(line.colour)}22` }),
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      draw: [(plot) => drawMarks(plot, latest.current.marks, colour)],
    },
  };
}

/** Upright lines at the events. */
function drawMarks(plot: uPlot, marks: readonly Mark[], colour: (name: string) => string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([]);
  for (const mark of marks) {
    const x = plot.valToPos(mark.time, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(mark.colour);
    ctx.fillStyle = colour(mark.colour);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillRect(x - 2 * devicePixelRatio, bbox.top, 4 * devicePixelRatio, 4 * devicePixelRatio);
  }
  ctx.restore();
}

function isZoomed(plot: uPlot): boolean {
  const times = plot.data[0];
  const { min, max } = plot.scales['x'] as uPlot.Scale;
  if (min == null || max == null || times.length === 0) return false;
  return min > (times[0] as number) || max < (times.at(-1) as number);
}

function aligned({ times, values }: PlotData): uPlot.AlignedData {
  return [times as number[], ...(values as (number | null)[][])];
}
