/** One meter over time, of all customers or of one. */

import * as api from "./api.js";
import { Component, html } from "./html.js";
import { exact } from "./numbers.js";
import { hashOf } from "./routes.js";
import { RANGES } from "./time.js";
import { Counted, Marks } from "./view-meter-list.js";
import { Panel, Said, Waiting } from "./view-parts.js";
import { OverTime } from "./view-usage.js";
import { howCounted } from "./words.js";

const OFFERED = 8;

export function Meter({ place, page, choice, does }) {
  const aside = html`<a class="back" href=${hashOf("meters")}>All meters</a>`;
  if (page === null) return html`<${Panel} id="meter" title="Meter" aside=${aside}><${Waiting} className="chart" /></${Panel}>`;
  const { meter, total } = page.usage;
  const customer = place.asked.customer || null;
  return html`
    <${Panel} id="meter" title=${html`<${Said} text=${meter.displayName || meter.name} /> <${Marks} meter=${meter} />`} aside=${aside}>
      <p class="about">${howCounted(meter)}: <${Counted} meter=${meter} /></p>
      <div class="meter-head">
        <p><span class="figure" data-size="m">${exact(total)}</span> <span class="about">${meter.unit && html`<${Said} text=${meter.unit} />, `}${RANGES[choice.range].name.toLowerCase()}${customer && html` of <a href=${hashOf("customers", customer)}><${Said} text=${customer} /></a>`}</span></p>
        <${CustomerFilter} key=${customer} customer=${customer} environment=${choice.environment} does=${does} />
      </div>
      <${OverTime} series=${[seriesOf(page.usage)]} granularity=${page.granularity} what=${meter.displayName || meter.name} total=${total} />
    </${Panel}>
  `;
}

function seriesOf({ meter, data, total }) {
  const points = data.map(({ timestamp, value }) => ({ start: timestamp, value }));
  return { name: meter.displayName || meter.name, color: "1", total, points };
}

/** Takes a reference; names and emails are found while typing. */
class CustomerFilter extends Component {
  state = { offered: [] };
  #asked = "";

  #typed = async (event) => {
    const search = event.target.value.trim();
    if (this.state.offered.some((each) => each.reference === search)) return this.props.does.ask({ customer: search });
    this.#asked = search;
    const { environment } = this.props;
    const found = await api.get("customers", { environment, search, limit: OFFERED }).catch(() => null);
    if (found !== null && this.#asked === search) this.setState({ offered: found.customers });
  };

  #chosen = (event) => {
    event.preventDefault();
    this.props.does.ask({ customer: event.target.elements.customer.value.trim() });
  };

  render({ customer, does }, { offered }) {
    return html`
      <form class="filter" onSubmit=${this.#chosen}>
        <input name="customer" class="search" list="offered" aria-label="Only this customer" placeholder="Only this customer"
          maxlength="200" autocomplete="off" spellcheck="false" defaultValue=${customer ?? ""} onInput=${this.#typed} />
        <datalist id="offered">${offered.map((each) => html`<option key=${each.reference} value=${each.reference}>${each.name || each.email}</option>`)}</datalist>
        <button>Show</button>
        ${customer && html`<button type="button" class="quiet" onClick=${() => does.ask({})}>Everyone</button>`}
      </form>
    `;
  }
}
