/** The meters: the default ones first, the archived ones last. */

import { html } from "./html.js";
import { hashOf } from "./routes.js";
import { Mark } from "./view-metered.js";
import { Panel, Said, Waiting } from "./view-parts.js";
import { howCounted } from "./words.js";

export function MeterList({ page }) {
  return html`
    <${Panel} id="all-meters" title="Meters" about="named ways to count events">
      ${page === null ? html`<${Waiting} className="table" />` : html`<${Table} meters=${ordered(page.meters)} />`}
    </${Panel}>
  `;
}

const isArchived = ({ status }) => status === "archived";

/** As they are answered, with archived ones last. */
const ordered = (meters) => [...meters.filter((each) => !isArchived(each)), ...meters.filter(isArchived)];

function Table({ meters }) {
  return html`
    <table class="metered meters" role="table">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">Meter</th>
          <th role="columnheader" scope="col">Counts</th>
          <th role="columnheader" scope="col">Of these events</th>
        </tr>
      </thead>
      <tbody role="rowgroup">${meters.map((each) => html`<${Row} key=${each.reference} meter=${each} />`)}</tbody>
    </table>
  `;
}

function Row({ meter }) {
  const { reference, name, displayName, description, unit } = meter;
  return html`
    <tr role="row" data-archived=${isArchived(meter)}>
      <td role="cell" class="who-cell">
        <span><a href=${hashOf("meters", reference)}><${Said} text=${displayName || name} /></a> <${Marks} meter=${meter} /></span>
        <code><${Said} text=${name} /></code>
        ${description && html`<${Said} className="about" text=${description} />`}
      </td>
      <td role="cell" class="counts-cell">${howCounted(meter)}${unit && html` <span class="about">in <${Said} text=${unit} /></span>`}</td>
      <td role="cell" class="events-cell"><${Counted} meter=${meter} /></td>
    </tr>
  `;
}

export function Marks({ meter }) {
  return html`
    ${meter.isDefault && html`<${Mark} text="Default" />`}
    ${isArchived(meter) && html`<${Mark} text="Archived" tone="warn" />`}
  `;
}

/** Which events a meter counts, in words. */
export function Counted({ meter }) {
  const { kind, name, meterNames, eventTypes, properties } = meter;
  const parts = Object.entries(properties).map(([key, values]) => `${key} = ${values.join(" or ")}`);
  return html`
    <span class="kind" data-kind=${kind}>${kind}</span>
    ${" events "}${kind === "meter" && html`recorded on <${Said} text=${(meterNames.length > 0 ? meterNames : [name]).join(" or ")} />`}
    ${eventTypes.length > 0 && html` of type <${Said} text=${eventTypes.join(" or ")} />`}
    ${kind === "usage" && eventTypes.length === 0 && "of any type"}
    ${parts.length > 0 && html` where <${Said} text=${parts.join(" and ")} />`}
  `;
}
