/** Use over time: events, a colour for each type, or the units of one type. */

import { Chart } from "./chart.js";
import { OTHER, colorOf } from "./colors.js";
import { html } from "./html.js";
import { exact, sum } from "./numbers.js";
import { bucketName, zone } from "./time.js";
import { Choice, Panel, Said, Waiting } from "./view-parts.js";

export function Usage({ picture, choice, does }) {
  const isUnits = choice.measure === "units";
  const type = choice.type ?? picture?.type;
  const isThere = picture !== null && (!isUnits || (picture.over !== null && picture.type === type));
  const options = [
    ["events", "Events", "Every type together: an event is an event"],
    ["units", "Units of one type", "Units are added within one type only: a token is no image"],
  ];
  return html`
    <${Panel} id="usage" title="Usage over time" about=${isUnits ? html`units of <${Said} text=${type} />` : "events by type"}
      aside=${html`<${Choice} name="measure" legend="What is counted" options=${options} value=${choice.measure}
        onChoose=${(measure) => does.choose({ measure })} />`}>
      ${isThere ? html`<${Shown} picture=${picture} isUnits=${isUnits} />` : html`<${Waiting} className="chart" />`}
    </${Panel}>
  `;
}

function Shown({ picture, isUnits }) {
  const series = isUnits ? [unitSeries(picture)] : picture.counts.series.map(eventSeries);
  const total = isUnits ? picture.over.total : picture.counts.total;
  return html`<${OverTime} series=${series} granularity=${picture.window.granularity} what=${isUnits ? "Units" : "Events"} total=${total} />`;
}

/** A chart with its legend, and its numbers as a table. */
export function OverTime({ series, granularity, what, total }) {
  return html`
    <ul class="legend">
      ${series.map((each) => html`
        <li key=${each.name}><span class="swatch" data-color=${each.color}></span><${Said} text=${each.name} /> <span class="number">${exact(each.total)}</span></li>
      `)}
    </ul>
    <${Chart} series=${series} granularity=${granularity}
      label=${`${what} over time, ${exact(total)} in all. The table below has every number.`} />
    <details class="as-table">
      <summary>As a table, times in ${zone}</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Table of usage over time"><${Table} series=${series} granularity=${granularity} /></div>
    </details>
  `;
}

function eventSeries({ group, total, points }) {
  const name = group.other ? OTHER : group.type;
  return { name: group.other ? "all other types" : name, color: colorOf(name), total, points };
}

function unitSeries({ over, type }) {
  const { total, points } = over.series[0] ?? { total: "0", points: [] };
  return { name: type, color: colorOf(type) === OTHER ? "1" : colorOf(type), total, points };
}

function Table({ series, granularity }) {
  const points = series[0]?.points ?? [];
  return html`
    <table>
      <thead><tr><th scope="col">Time</th>${series.map((each) => html`<th key=${each.name} scope="col" class="number"><${Said} text=${each.name} /></th>`)}
        ${series.length > 1 && html`<th scope="col" class="number">Total</th>`}</tr></thead>
      <tbody>
        ${points.map((point, at) => html`
          <tr key=${point.start}>
            <th scope="row">${bucketName(point.start, granularity)}</th>
            ${series.map((each) => html`<td key=${each.name} class="number">${exact(each.points[at].value)}</td>`)}
            ${series.length > 1 && html`<td class="number">${exact(sum(series.map((each) => each.points[at].value)))}</td>`}
          </tr>
        `).reverse()}
      </tbody>
    </table>
  `;
}
