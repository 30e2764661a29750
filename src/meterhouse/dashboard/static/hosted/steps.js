/** The steps of a checkout. Each gets the page's state, the session and what can be done. */

import { Component, html } from "../html.js";
import { Said, shown } from "../view-parts.js";
import { Notice } from "./parts.js";
import { currencyName, cycle, digitsOf, gives, host, money, number, price, terms, worth } from "./words.js";

const AMOUNTS = [500, 1_000, 2_500, 5_000];
const TIMES = { CZK: 10, DKK: 10, INR: 50, KRW: 10, NOK: 10, SEK: 10, ZAR: 10 }; // of currencies with small units
const [LEAST, MOST] = [100, 10_000_000];

const amountsIn = (currency) => AMOUNTS.map((each) => each * (TIMES[currency] ?? 1));

const Wrong = ({ message }) => html`<p class="wrong" role="alert">${message}</p>`;

export function Choose({ state, session, does }) {
  const { plans, busy, wrong } = state;
  const name = session.product && html` for <${Said} text=${session.product.name} />`;
  if (plans.length === 0) {
    return html`<${Notice} mark="wrong" title="No plan is on offer"><p>There is nothing to buy here at the moment. <${Said} text=${session.merchant.displayName} /> can tell why.</p><//>`;
  }
  return html`
    <section class="choose">
      <h1 tabindex="-1">Choose a plan${name}</h1>
      ${session.product?.description && html`<p class="about"><${Said} text=${session.product.description} /></p>`}
      <${Wrong} message=${wrong} />
      <ul class="plans" data-plans=${Math.min(plans.length, 3)}>
        ${plans.map((plan) => html`<${PlanCard} key=${plan.reference} plan=${plan} busy=${busy} isCurrent=${plan.reference === session.currentPlanRef} onChoose=${does.selectPlan} />`)}
      </ul>
      <${WayBack} session=${session} />
    </section>
  `;
}

/** Away without buying. */
const WayBack = ({ session }) => session.backUrl && html`<a class="quiet" href=${session.backUrl} rel="noreferrer">Not now: back to ${shown(host(session.backUrl))}</a>`;

class PlanCard extends Component {
  state = { currency: this.props.plan.currency };

  render({ plan, busy, isCurrent, onChoose }, { currency }) {
    const option = plan.pricingOptions.find((each) => each.currency === currency);
    const priced = { ...plan, ...(option && { currency, price: option.basePrice || option.price, setupFee: option.setupFee ?? 0 }) };
    const keepsNothing = isCurrent && !plan.isPrepaid;
    const text = isCurrent ? (plan.isPrepaid ? "Add credits" : "Your plan") : plan.price > 0 && !plan.trialDays ? "Choose" : plan.trialDays ? "Try it" : "Start";
    return html`
      <li class="plan" data-current=${isCurrent}>
        <h2><${Said} text=${plan.name} /></h2>
        <${Price} plan=${priced} />
        ${plan.pricingOptions.length > 1 && html`
          <label class="currency">
            <span>Pay in</span>
            <select value=${currency} onChange=${(event) => this.setState({ currency: event.target.value })}>
              ${plan.pricingOptions.map((each) => html`<option key=${each.currency}>${each.currency}</option>`)}
            </select>
          </label>`}
        ${plan.description && html`<p class="about"><${Said} text=${plan.description} /></p>`}
        <${Gives} plan=${priced} />
        <${Terms} plan=${priced} />
        <button class=${isCurrent ? "" : "primary"} disabled=${busy !== null || keepsNothing} onClick=${() => onChoose(plan.reference, currency)} aria-label=${isCurrent ? undefined : `${text} ${shown(plan.name)}`}>
          ${busy === plan.reference ? "One moment …" : text}
        </button>
      </li>
    `;
  }
}

function Price({ plan }) {
  const [amount, per] = price(plan);
  const setup = plan.setupFee > 0 && html`<small>and ${money(plan.setupFee, plan.currency, true)} setup, once</small>`;
  return html`<p class="price"><b>${amount}</b> <span>${per}</span>${setup}</p>`;
}

const Gives = ({ plan }) => html`<ul class="gives">${gives(plan).map((line) => html`<li key=${line}><${Said} text=${line} /></li>`)}</ul>`;

/** How it is billed, in small print that is there before anybody pays. */
const Terms = ({ plan }) => html`<dl class="terms">${terms(plan).map(([name, sentence]) => html`<div key=${name}><dt>${name}</dt><dd><${Said} text=${sentence} /></dd></div>`)}</dl>`;

/** What is bought at one side, what to do about it at the other. */
function TwoSides({ session, title, lines, total, children, about }) {
  return html`
    <div class="sides">
      <section class="summary" data-total=${Boolean(total)}>
        <h1 tabindex="-1">${title}</h1>
        ${total && html`<p class="total-large">${total}</p>`}
        ${lines.length > 0 && html`<dl class="lines">${lines.map(([what, amount]) => html`<div key=${what}><dt><${Said} text=${what} /></dt><dd>${amount}</dd></div>`)}</dl>`}
        ${about}
      </section>
      <section class="panel">
        <p class="buyer"><span>For</span> <b><${Said} text=${session.customer.name} /></b> <${Said} className="about" text=${session.customer.email} /></p>
        ${children}
      </section>
    </div>
  `;
}

export function Start({ state, session, does }) {
  const { plan } = session;
  const has = session.currentPlanRef === plan.reference;
  const then = plan.trialDays > 0 && plan.price > 0 && !has;
  return html`
    <${TwoSides} session=${session} title=${html`${has ? "Keep" : "Start with"} <${Said} text=${plan.name} />`} total=${then ? "Free to try" : html`${price(plan)[0]} <small>${price(plan)[1]}</small>`} lines=${[]} about=${html`<${Gives} plan=${plan} /><${Terms} plan=${plan} />`}>
      <p>${has ? "You have this plan. There is nothing to pay." : then ? `${number(plan.trialDays)} days free. After them it costs ${money(plan.price, plan.currency)} ${cycle(plan)}; you pay nothing now.` : "There is nothing to pay now."}</p>
      <${Wrong} message=${state.wrong} />
      <button class="primary wide" disabled=${state.busy !== null} onClick=${() => does.selectPlan(plan.reference, plan.currency)}>${state.busy === plan.reference ? "One moment …" : has ? "Keep it" : "Start"}</button>
      <${Another} state=${state} session=${session} does=${does} />
      <${WayBack} session=${session} />
    <//>
  `;
}

const Another = ({ state, session, does }) =>
  session.purpose === "product" && state.plans.some((each) => each.reference !== session.plan.reference) && html`<button class="quiet wide" disabled=${state.busy !== null} onClick=${does.reset}>Choose another plan</button>`;

export class Topup extends Component {
  state = this.#begin();

  #begin() {
    const { amount, currency, creditPrices } = this.props.session;
    const prices = creditPrices.find((each) => each.currency === currency) ?? creditPrices[0];
    const chosen = amount ?? amountsIn(prices.currency)[1];
    return { prices, amount: chosen, own: !amountsIn(prices.currency).includes(chosen), fault: null };
  }

  #pay = (event) => {
    const prices = this.props.session.creditPrices.find(({ currency }) => currency === event.target.value);
    this.setState({ prices, amount: amountsIn(prices.currency)[1], own: false, fault: null });
  };

  /** The amount that was typed in minor units, 0 for none. */
  #typed(said) {
    const digits = digitsOf(this.state.prices.currency);
    const [whole, part = ""] = said.replace(",", ".").split(".");
    return /^\d{1,9}$/.test(whole) && /^\d*$/.test(part) && part.length <= digits ? Number(whole + part.padEnd(digits, "0")) : 0;
  }

  #submit = (event) => {
    event.preventDefault();
    const { prices: { currency }, own } = this.state;
    const amount = own ? this.#typed(event.target.elements.own?.value.trim() ?? "") : this.state.amount;
    const such = digitsOf(currency) === 0 ? "1250" : "12.50";
    if (amount < LEAST || amount > MOST) this.setState({ fault: `Between ${money(LEAST, currency, true)} and ${money(MOST, currency, true)}, such as ${such}.` });
    else this.props.does.selectTopup(amount, currency);
  };

  render({ state, session }, { prices, amount, own, fault }) {
    const { plan } = session;
    const { currency } = prices;
    const active = plan && session.currentPlanRef === plan.reference;
    const credits = (minor) => minor * prices.creditsPerMinorUnit;
    const buys = (minor) => (plan?.creditsPerUnit ? `${number(Math.floor(credits(minor) / plan.creditsPerUnit))} ${plan.measures}` : `${number(credits(minor))} credits`);
    const about = html`<p class="about">Credits pay for what you use. They stay until they are used up.</p>`;
    return html`
      <${TwoSides} session=${session} title="Add credits" lines=${[[`Your balance: ${number(session.creditBalance)} credits`, worth(session.creditBalance)]]} about=${about}>
        ${active && html`<p class="good" role="status"><${Said} text=${plan.name} /> is active.</p>`}
        ${session.creditPrices.length > 1 && html`
          <label class="currency">
            <span>Pay in</span>
            <select value=${currency} onChange=${this.#pay}>${session.creditPrices.map((each) => html`<option key=${each.currency}>${each.currency}</option>`)}</select>
          </label>`}
        <form onSubmit=${this.#submit} noValidate>
          <fieldset class="amounts">
            <legend>How much?</legend>
            ${amountsIn(currency).map((each) => html`
              <label key=${each}><input type="radio" name="amount" checked=${!own && amount === each} onChange=${() => this.setState({ amount: each, own: false, fault: null })} /><span><b>${money(each, currency, true)}</b><small><${Said} text=${buys(each)} /></small></span></label>`)}
            <label class="own"><input type="radio" name="amount" checked=${own} onChange=${() => this.setState({ own: true })} /><span><b>Another amount</b></span></label>
          </fieldset>
          ${own && html`<label class="field"><span>Amount in ${currencyName(currency)}</span><input name="own" inputmode="decimal" autocomplete="off" aria-describedby="own-fault" /></label>`}
          <p class="wrong" role="alert" id="own-fault">${fault ?? state.wrong}</p>
          <button class="primary wide" disabled=${state.busy !== null}>${state.busy === "topup" ? "One moment …" : "Continue"}</button>
        </form>
        <${WayBack} session=${session} />
      <//>
    `;
  }
}

export function Pay({ state, session, does }) {
  const { plan, amount, currency, credits } = session;
  const topup = credits !== undefined;
  const due = money(amount, currency);
  const lines = topup
    ? [[`${number(credits)} credits`, due]]
    : [[`${plan.name} ${cycle(plan)}`.trim(), money(plan.price, currency)], ...(plan.setupFee ? [["Setup, once", money(plan.setupFee, currency)]] : [])];
  const title = topup ? "Add credits" : html`<${Said} text=${plan.name} />${session.product && html` – <${Said} text=${session.product.name} />`}`;
  const about = !topup && html`<${Gives} plan=${{ ...plan, trialDays: 0 }} /><${Terms} plan=${plan} />`;
  return html`
    <${TwoSides} session=${session} title=${title} total=${due} lines=${[...lines, ["Due today", due]]} about=${about}>
      ${session.payment === "test" ? html`<${TestPayment} state=${state} due=${due} declined=${session.declined} does=${does} />` : html`<p>Paying on this page is not set up. Nothing was charged; <${Said} text=${session.merchant.displayName} /> can tell how to pay.</p>`}
      ${topup ? html`<button class="quiet wide" disabled=${state.busy !== null} onClick=${does.editAmount}>Change the amount</button>` : html`<${Another} state=${state} session=${session} does=${does} />`}
      <${WayBack} session=${session} />
    <//>
  `;
}

function TestPayment({ state, due, declined, does }) {
  const busy = state.busy !== null;
  return html`
    <div class="card" aria-hidden="true"><span>Test card</span><b>4242 4242 4242 4242</b><small>12 / 34</small></div>
    <p class="about">This is a test: no money moves. Both buttons do what a customer’s card would.</p>
    <${Wrong} message=${state.wrong ?? (busy ? null : declined)} />
    <button class="primary wide" disabled=${busy} onClick=${() => does.pay("success")}>${state.busy === "success" ? "Paying …" : `Pay ${due}`}</button>
    <button class="wide" disabled=${busy} onClick=${() => does.pay("decline")}>${state.busy === "decline" ? "Trying …" : "Have the card declined"}</button>
  `;
}

export function Done({ state, session }) {
  const { plan, product, returnUrl } = session;
  const what = plan ? html`<${Said} text=${plan.name} />${product && html` of <${Said} text=${product.name} />`} is active.` : "Your credits are there.";
  const balance = plan?.isPrepaid || session.purpose === "credit_topup" ? html` Your balance is ${number(session.creditBalance)} credits.` : "";
  return html`
    <${Notice} mark="done" title="You are all set">
      <p>${what}${balance}</p>
      ${returnUrl
        ? html`<p class="about">You are taken to <b>${shown(host(returnUrl))}</b>${state.seconds ? ` in ${state.seconds}` : ""} …</p><p><a class="primary" href=${returnUrl} rel="noreferrer">Go there now</a></p>`
        : html`<p class="about">You may close this page.</p>`}
    <//>
  `;
}
