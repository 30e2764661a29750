/** The customer's own page: what it has, what of that is used, and ending or keeping it. */

import * as api from "../api.js";
import { Component, html, render } from "../html.js";
import { Said } from "../view-parts.js";
import { Page, focusTitle, sessionId, visit } from "./parts.js";
import { cycle, day, money, number, price, priceCredits, worth } from "./words.js";

const STATUS = { active: "Active", trialing: "Trial" };
const id = sessionId();
const path = (rest = "") => `customer-sessions/${id}${rest}`;

/** session: as it was answered. busy: the purchase that is being changed. told: what has just been done. */
let state = { session: null, busy: null, wrong: null, told: null, gone: null };

function update(patch) {
  state = { ...state, ...patch };
  render(html`<${Own} state=${state} />`, document.getElementById("app"));
}

async function load() {
  update({ wrong: null });
  update(await visit(id, ask));
}

async function ask() {
  const session = await api.get(path(), {});
  document.title = `${session.merchant.displayName}: your account`;
  priceCredits(session.creditPrices);
  return { session, gone: session.status === "active" ? null : session };
}

async function change(reference, action, told) {
  update({ busy: reference, wrong: null, told: null });
  try {
    update({ session: await api.post(path(`/purchases/${reference}/${action}`)), busy: null, told });
    focusTitle();
  } catch (error) {
    update({ busy: null, wrong: error.message });
    if (error.status === 409) load();
  }
}

const Own = ({ state }) => html`<${Page} state=${state} what="your account" onAgain=${load}><${Account} state=${state} /><//>`;

function Account({ state }) {
  const { session } = state;
  const { customer, purchases, creditBalance, heldCredits } = session;
  return html`
    <section class="account">
      <h1 tabindex="-1">Your account</h1>
      <p class="about"><${Said} text=${customer.name} /> · <${Said} text=${customer.email} /></p>
      <p class="good" role="status">${state.told}</p>
      <p class="wrong" role="alert">${state.wrong}</p>
      ${purchases.length === 0 && html`<section class="panel"><h2>No plan at the moment</h2><p class="about"><${Said} text=${session.merchant.displayName} /> can tell how to get one.</p></section>`}
      ${purchases.map((each) => html`<${Purchase} key=${each.reference} purchase=${each} busy=${state.busy === each.reference} />`)}
      ${(creditBalance > 0 || purchases.some((each) => each.creditsPerUnit > 0)) && html`
        <section class="panel balance">
          <h2>Credits</h2>
          <p class="price"><b>${number(creditBalance)}</b> <span>worth ${worth(creditBalance)}</span></p>
          ${heldCredits > 0 && html`<p class="about">${number(heldCredits)} of them are reserved by work that is going on.</p>`}
        </section>`}
    </section>
  `;
}

class Purchase extends Component {
  state = { asking: false };

  #cancel = () => {
    this.setState({ asking: false });
    change(this.props.purchase.reference, "cancel-renewal", "It will not renew. You can use it until it ends.");
  };

  #keep = () => change(this.props.purchase.reference, "reactivate", "It renews again.");

  render({ purchase, busy }, { asking }) {
    const [amount, per] = price({ ...purchase, type: purchase.planType });
    return html`
      <article class="panel purchase">
        <header>
          <div>
            <h2><${Said} text=${purchase.planName} /></h2>
            <p class="about"><${Said} text=${purchase.productName} /></p>
          </div>
          <p class="status" data-status=${purchase.canReactivate ? "ending" : purchase.status}>${purchase.canReactivate ? "Ending" : (STATUS[purchase.status] ?? purchase.status)}</p>
        </header>
        <p class="price"><b>${amount}</b> <span>${per}</span></p>
        <${Usage} purchase=${purchase} />
        <p class="about">${when(purchase)}</p>
        ${asking
          ? html`
              <div class="asking" role="group" aria-label="Cancel the renewal?">
                <p>You keep it until ${day(purchase.periodEnd)}; then it ends.</p>
                <button class="danger" onClick=${this.#cancel}>Cancel renewal</button>
                <button onClick=${() => this.setState({ asking: false })}>Keep it</button>
              </div>`
          : purchase.renews && (purchase.price > 0 || purchase.creditsPerUnit > 0)
            ? html`<p><button disabled=${busy} onClick=${() => this.setState({ asking: true })}>Cancel renewal …</button></p>`
            : purchase.canReactivate && html`<p><button class="primary" disabled=${busy} onClick=${this.#keep}>Keep renewing</button></p>`}
      </article>
    `;
  }
}

function Usage({ purchase }) {
  const { usage, measures, creditsPerUnit, planType } = purchase;
  const used = html`<b>${number(usage.used)}</b> ${usage.total === null ? "" : `of ${number(usage.total)} `}<${Said} text=${measures} />`;
  const prepaid = planType === "usage-based" && creditsPerUnit > 0;
  return html`
    <div class="usage">
      <p><span>${used} used</span><span class="about">${usage.total === null ? "no limit" : prepaid ? `${number(usage.remaining)} left with your credits` : `${number(usage.remaining)} left`}</span></p>
      ${usage.total !== null && html`<progress max="100" value=${Math.min(usage.percentUsed, 100)} data-full=${usage.percentUsed >= 90} aria-label=${`${usage.percentUsed} % used`}></progress>`}
    </div>
  `;
}

function when({ renews, endDate, periodEnd, trialEndDate, status, planType, price: cost, currency, billingCycle }) {
  if (endDate) return `Ends on ${day(endDate)}.`;
  if (status === "trialing" && trialEndDate) return `Free until ${day(trialEndDate)}, then ${money(cost, currency)} ${cycle({ billingCycle, type: planType })}.`;
  if (renews && periodEnd) return cost > 0 ? `Renews on ${day(periodEnd)}.` : `Starts again on ${day(periodEnd)}.`;
  return "Yours without an end.";
}

load();
