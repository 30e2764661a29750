/** Customers with their plans, usage against limit, and credits. */

import { Component, html } from "./html.js";
import { exact } from "./numbers.js";
import { hashOf } from "./routes.js";
import { Pages, State, UsageBar } from "./view-metered.js";
import { Panel, Said, Waiting } from "./view-parts.js";

const PAUSE = 250; // milliseconds without a key before it is asked

export function CustomerList({ place, page, choice, does }) {
  const { search = "", cursor = "" } = place.asked;
  return html`
    <${Panel} id="all-customers" title="Customers" about="the newest first" aside=${html`<${Search} search=${search} does=${does} />`}>
      ${page === null
        ? html`<${Waiting} className="table" />`
        : page.customers.length === 0
          ? html`<p class="empty">${search ? html`No customer has “<${Said} text=${search} />” in name, email or reference.` : `There are no customers in ${choice.environment} yet.`}</p>`
          : html`<${Table} customers=${page.customers} />`}
      ${page !== null && html`<${Pages} first=${cursor && hashOf("customers", null, { search }) || null}
        next=${page.nextCursor && hashOf("customers", null, { search, cursor: page.nextCursor })} />`}
    </${Panel}>
  `;
}

class Search extends Component {
  #waiting = 0;

  componentWillUnmount() {
    clearTimeout(this.#waiting);
  }

  #typed = (event) => {
    const search = event.target.value.trim();
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.props.does.ask({ search }), PAUSE);
  };

  render({ search }) {
    return html`<input type="search" class="search" aria-label="Search customers" placeholder="Name, email, reference"
      maxlength="200" autocomplete="off" spellcheck="false" defaultValue=${search} onInput=${this.#typed} />`;
  }
}

function Table({ customers }) {
  return html`
    <table class="metered customers" role="table">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">Customer</th>
          <th role="columnheader" scope="col">Plan</th>
          <th role="columnheader" scope="col">Usage in this period</th>
          <th role="columnheader" scope="col" class="number">Credits</th>
        </tr>
      </thead>
      <tbody role="rowgroup">${customers.map((each) => html`<${Row} key=${each.reference} customer=${each} />`)}</tbody>
    </table>
  `;
}

function Row({ customer }) {
  const { reference, name, email, purchases, credits, heldCredits } = customer;
  return html`
    <tr role="row">
      <td role="cell" class="who-cell">
        <a href=${hashOf("customers", reference)}><${Said} text=${name || email} /></a>
        <${Said} className="about" text=${name ? email : reference} />
      </td>
      <td role="cell" colspan="2" class="purchases-cell">
        ${purchases.length === 0 && html`<p class="about">No plan</p>`}
        ${purchases.map((each) => html`<${Purchase} key=${each.reference} purchase=${each} />`)}
      </td>
      <td role="cell" class="credits-cell number">
        ${exact(credits)} <span class="credits-unit">credits</span>
        ${heldCredits !== "0" && html`<span class="about">${exact(heldCredits)} held</span>`}
      </td>
    </tr>
  `;
}

function Purchase({ purchase }) {
  const { planSnapshot, productName, usage } = purchase;
  return html`
    <div class="purchase-line">
      <p><span class="plan-name"><${Said} text=${planSnapshot.name} /> <${State} purchase=${purchase} /></span><${Said} className="about" text=${productName} /></p>
      <${UsageBar} used=${usage.used} held=${usage.heldUnits} limit=${usage.limitUnits} />
    </div>
  `;
}
