/** The customers who used most: by events, or by the units of one type. */

import { html } from "./html.js";
import { exact, share } from "./numbers.js";
import { TOP_CUSTOMERS } from "./questions.js";
import { hashOf } from "./routes.js";
import { Panel, Said, Waiting } from "./view-parts.js";

export function Customers({ picture, choice, names }) {
  const shown = picture !== null && picture.measure === choice.measure ? picture : null;
  const about = choice.measure === "units" ? html`by units of <${Said} text=${choice.type ?? picture?.type} />` : "by events";
  return html`
    <${Panel} id="customers" title="Top customers" about=${about}>
      ${shown === null ? html`<${Waiting} className="list" />` : html`<${List} answer=${shown.customers} names=${names} />`}
    </${Panel}>
  `;
}

function List({ answer, names }) {
  const customers = answer.series.filter((each) => !each.group.other);
  const others = answer.series.find((each) => each.group.other);
  if (customers.length === 0) return html`<p class="empty">No customer used anything in this time.</p>`;
  const most = customers[0].total;
  return html`
    <ol class="ranks">
      ${customers.map((each) => html`<${Row} key=${each.group.customerRef} ref_=${each.group.customerRef} names=${names}
        total=${each.total} length=${share(each.total, most)} of=${share(each.total, answer.total)} />`)}
    </ol>
    <p class="others">${others ? html`<span>All others</span><span class="number">${exact(others.total)}</span>` : customers.length === TOP_CUSTOMERS && " "}</p>
  `;
}

function Row({ ref_, names, total, length, of }) {
  const name = names.of(ref_);
  return html`
    <li>
      <span class="rank-bar" style=${{ width: `${Math.max(length * 100, 0.5)}%` }}></span>
      <span class="rank-name">
        ${ref_ ? html`<a href=${hashOf("customers", ref_)}><${Said} text=${name ?? ref_} /></a>` : "No customer"}
        ${name && html`<code>${ref_}</code>`}
      </span>
      <span class="number">${exact(total)}</span>
      <span class="percent">${(of * 100).toFixed(1)} %</span>
    </li>
  `;
}
