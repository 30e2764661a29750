/** The figures on top: events, units of one type, events in the last minute. Exact, every digit. */

import { html } from "./html.js";
import { change, counted, exact } from "./numbers.js";
import { RANGES, minute } from "./time.js";
import { Waiting, shown } from "./view-parts.js";

export function Cards({ picture, choice, does }) {
  return html`
    <section class="cards" aria-label="Totals">
      <${Card} id="events" title="Events" figure=${picture?.counts.total}>
        ${picture && html`<${Change} now=${picture.counts.total} before=${picture.before.events} than=${RANGES[choice.range].before} />`}
      </${Card}>
      <${Units} picture=${picture} choice=${choice} does=${does} />
      <${Card} id="rate" title="Events per minute" figure=${picture?.lastMinute.total}>
        ${picture && html`<${Sparks} minutes=${picture.minutes} />`}
      </${Card}>
    </section>
  `;
}

function Units({ picture, choice, does }) {
  const types = picture ? typesOf(picture) : [];
  const type = choice.type ?? picture?.type ?? null;
  const select = html`
    <span>Units of</span>
    <select aria-label="Type whose units are shown" value=${type ?? ""} disabled=${types.length === 0}
      onChange=${(event) => does.choose({ type: event.target.value })}>
      ${types.length === 0 && html`<option value="">any type</option>`}
      ${types.map((each) => html`<option key=${each} value=${each} selected=${each === type}>${shown(each)}</option>`)}
    </select>
  `;
  const total = picture && unitsOf(picture, type);
  return html`
    <${Card} id="units" title=${select} figure=${picture ? total : undefined}>
      ${picture && html`<${Change} now=${total} before=${picture.before.units} than=${RANGES[choice.range].before} />`}
    </${Card}>
  `;
}

function Card({ id, title, figure, children }) {
  const size = figure === undefined ? 0 : exact(figure).length;
  return html`
    <article class="card" data-card=${id}>
      <h2>${title}</h2>
      ${figure === undefined
        ? html`<${Waiting} className="figure" />`
        : html`<p class="figure" data-size=${size > 22 ? "xs" : size > 16 ? "s" : size > 11 ? "m" : "l"}>${exact(figure)}</p>`}
      <div class="card-foot">${children}</div>
    </article>
  `;
}

function Change({ now, before, than }) {
  if (before === null || before === "0") return html`<p class="change">none in ${than}</p>`;
  const { direction, text } = change(now, before);
  const arrow = { up: "▲ ", down: "▼ ", same: "" }[direction];
  return html`<p class="change"><span data-direction=${direction}>${arrow}${text}</span> vs ${than} <span class="before">(${exact(before)})</span></p>`;
}

/** The last half hour, a bar for each whole minute; the figure above is of the last 60 seconds. */
function Sparks({ minutes }) {
  const points = minutes.series[0]?.points ?? [];
  const most = Math.max(1, ...points.map((each) => Number(each.value)));
  return html`
    <svg class="sparks" viewBox="0 0 ${points.length * 4} 28" preserveAspectRatio="none" role="img"
      aria-label="Events in each of the last ${points.length} minutes, at most ${exact(String(most))}">
      ${points.map((each, at) => {
        const height = Math.max((Number(each.value) / most) * 28, each.value === "0" ? 0.6 : 1.5);
        return html`<rect key=${each.start} x=${at * 4} y=${28 - height} width="3" height=${height}>
          <title>${minute(each.start)}: ${counted(each.value, "event")}</title>
        </rect>`;
      })}
    </svg>
    <p class="spark-names"><span>30 min ago</span><span>now</span></p>
  `;
}

/** The types with units in the range; the chosen one too where it has none. */
function typesOf(picture) {
  const found = picture.sums.series.flatMap((each) => each.group.type ?? []);
  return [...new Set(picture.type === null ? found : [...found, picture.type])].sort();
}

/** From the answer that the chart shows, where it shows one: two that were asked one after the other may differ. */
function unitsOf(picture, type) {
  if (picture.over !== null && picture.type === type) return picture.over.total;
  return picture.sums.series.find((each) => each.group.type === type)?.total ?? "0";
}
