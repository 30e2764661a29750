/** Stacked bars on uPlot. Their heights are rounded to pixels; what the tooltip says is exact. */

import { Component, createRef, html } from "./html.js";
import { compact, exact, sum } from "./numbers.js";
import { bucketName, ticks } from "./time.js";
import uPlot from "./vendor/uplot@1.6.32/uPlot.js";
import { Said } from "./view-parts.js";

const HEIGHT = 280;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Chart extends Component {
  state = { at: null };
  #box = createRef();
  #plot = null;
  #drawn = "";
  #sized = new ResizeObserver(() => this.#fit());
  #redraw = () => this.#build();

  componentDidMount() {
    this.#sized.observe(this.#box.current);
    dark.addEventListener("change", this.#redraw);
    this.#build();
  }

  componentDidUpdate(before) {
    if (before.series === this.props.series) return; // only the pointer moved
    if (this.#drawn === shapeOf(this.props)) this.#plot.setData(stacked(this.props.series));
    else this.#build();
  }

  componentWillUnmount() {
    this.#sized.disconnect();
    dark.removeEventListener("change", this.#redraw);
    this.#plot?.destroy();
  }

  #fit() {
    const width = this.#box.current.clientWidth;
    if (this.#plot && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #build() {
    const box = this.#box.current;
    this.#plot?.destroy();
    this.#drawn = shapeOf(this.props);
    const options = optionsOf(this.props, inksOf(box), box.clientWidth, (at) => at !== this.state.at && this.setState({ at }));
    this.#plot = new uPlot(options, stacked(this.props.series), box);
  }

  #onKey = (event) => {
    const last = lengthOf(this.props.series) - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") return this.#point(null);
    if (event.key !== "Home" && event.key !== "End" && step === undefined) return;
    event.preventDefault();
    const from = this.state.at ?? (step === 1 ? -1 : last + 1);
    this.#point(event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(Math.max(from + step, 0), last));
  };

  #point(at) {
    const left = at === null ? -10 : this.#plot.valToPos(at, "x");
    this.#plot.setCursor({ left, top: at === null ? -10 : HEIGHT / 3 });
  }

  #leftOf(at) {
    return this.#plot.bbox.left / devicePixelRatio + this.#plot.valToPos(at, "x");
  }

  render({ series, granularity, label }, { at }) {
    const empty = series.every((each) => each.points.every(({ value }) => isNothing(value)));
    return html`
      <div class="chart-frame">
        <div class="chart" ref=${this.#box} role="img" aria-label=${label} tabindex="0" onKeyDown=${this.#onKey} onBlur=${() => this.#point(null)}></div>
        ${empty && html`<p class="chart-empty">Nothing in this time.</p>`}
        ${at !== null && at < lengthOf(series) && html`<${Tip} series=${series} at=${at} granularity=${granularity} left=${this.#leftOf(at)} />`}
      </div>
    `;
  }
}

function Tip({ series, at, granularity, left }) {
  const last = lengthOf(series) - 1;
  const shown = series.filter((each) => !isNothing(each.points[at].value));
  return html`
    <div class="tip" data-side=${at > last / 2 ? "left" : "right"} style=${{ left: `${left}px` }}>
      <p class="tip-when">${bucketName(series[0].points[at].start, granularity)}${at === last && ", so far"}</p>
      <ul>
        ${shown.map((each) => html`
          <li key=${each.name}><span class="swatch" data-color=${each.color}></span><${Said} text=${each.name} /><span class="number">${exact(each.points[at].value)}</span></li>
        `)}
      </ul>
      ${shown.length === 0 && html`<p class="tip-none">Nothing</p>`}
      ${shown.length > 1 && html`<p class="tip-total"><span>Total</span><span class="number">${exact(sum(shown.map((each) => each.points[at].value)))}</span></p>`}
    </div>
  `;
}

/** null: an empty bucket of what is no sum. */
const isNothing = (value) => value === "0" || value === null;

const lengthOf = (series) => series[0]?.points.length ?? 0;

/** What the options depend on: while it stays, new numbers are enough. */
function shapeOf({ series, granularity }) {
  const starts = series[0]?.points.map((point) => point.start) ?? [];
  return JSON.stringify([granularity, starts[0], starts.length, series.map((each) => [each.name, each.color])]);
}

/** Positions, and the tops of the bars: the last series on top of all others is drawn first. */
function stacked(series) {
  const tops = Array(lengthOf(series)).fill(0);
  const layers = series.map(({ points }) =>
    points.map(({ value }, at) => {
      const height = Number(value);
      tops[at] += height;
      return height > 0 ? tops[at] : null;
    }),
  );
  return [tops.map((_, at) => at), ...layers.reverse()];
}

function inksOf(box) {
  const style = getComputedStyle(box);
  const ink = (name) => style.getPropertyValue(`--${name}`).trim();
  return { of: (color) => ink(`type-${color}`), text: ink("ink-soft"), line: ink("line"), panel: ink("panel"), font: `12px ${style.fontFamily}` };
}

function optionsOf({ series, granularity }, inks, width, pointed) {
  const starts = series[0]?.points.map((point) => point.start) ?? [];
  const narrow = width < 500;
  const named = ticks(starts, granularity, narrow ? 5 : 11);
  const axis = { stroke: inks.text, font: inks.font, ticks: { show: false } };
  const band = document.createElement("div");
  band.className = "chart-band";
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.5, Math.max(starts.length, 1) - 0.5] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.06 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, gap: 8, splits: () => named.map((each) => each.index), values: () => named.map((each) => each.name) },
      { ...axis, grid: { stroke: inks.line, width: 1 }, size: (_, names) => Math.max(narrow ? 40 : 52, 16 + 7 * Math.max(...(names ?? [""]).map((each) => each.length))), gap: 8, space: 40, values: (_, numbers) => numbers.map(compact) },
    ],
    series: [{}, ...series.map(({ color }) => barsOf(inks.of(color), starts.length)).reverse()],
    hooks: {
      ready: [(plot) => plot.over.append(band)],
      draw: [(plot) => fadeLast(plot, inks.panel, starts.length - 1)],
      setCursor: [(plot) => (markColumn(plot, band), pointed(plot.cursor.idx ?? null))],
    },
  };
}

function barsOf(color, buckets) {
  const paths = uPlot.paths.bars({ size: [buckets > 100 ? 0.86 : 0.72, 48] });
  return { paths, fill: color, width: 0, points: { show: false } };
}

/** The bucket of now is not over: its bar is paler. */
function fadeLast(plot, panel, last) {
  const { ctx, bbox } = plot;
  const left = plot.valToPos(last - 0.5, "x", true);
  ctx.save();
  ctx.globalAlpha = 0.5;
  ctx.fillStyle = panel;
  ctx.fillRect(left, bbox.top, bbox.left + bbox.width - left, bbox.height);
  ctx.restore();
}

function markColumn(plot, band) {
  const at = plot.cursor.idx ?? null;
  band.hidden = at === null;
  if (at === null) return;
  const left = plot.valToPos(at - 0.5, "x");
  band.style.left = `${left}px`;
  band.style.width = `${plot.valToPos(at + 0.5, "x") - left}px`;
}
