/** What is sold: the plans of each product, with their terms in words. */

import { html } from "./html.js";
import { hashOf } from "./routes.js";
import { Mark, Pages } from "./view-metered.js";
import { Panel, Said, Waiting } from "./view-parts.js";
import { TYPES, priceOf, termsOf } from "./words.js";

export function Plans({ page, choice }) {
  if (page === null) return html`<${Panel} id="plans" title="Plans"><${Waiting} className="list" /></${Panel}>`;
  const { products, total, limit, offset } = page;
  const after = Number(offset) + Number(limit);
  return html`
    <div class="wide">
      ${products.length === 0 && html`
        <${Panel} id="plans" title="Plans"><p class="empty">There are no products in ${choice.environment} yet. <a href="docs">The API's description</a> says how to make one, and its plans.</p></${Panel}>
      `}
      ${products.map((each) => html`<${Product} key=${each.reference} product=${each} />`)}
      <${Pages} first=${offset === "0" ? null : hashOf("plans")} next=${after < Number(total) ? hashOf("plans", null, { offset: String(after) }) : null} />
    </div>
  `;
}

function Product({ product }) {
  const { reference, name, status, plans } = product;
  const title = html`<${Said} text=${name} /> ${status !== "active" && html`<${Mark} text=${status} tone="warn" />`}`;
  return html`
    <${Panel} id=${reference} title=${title} about=${html`<code><${Said} text=${reference} /></code>`}>
      ${plans.length === 0
        ? html`<p class="empty small">This product has no plans.</p>`
        : html`<ul class="plans">${plans.map((each) => html`<${Plan} key=${each.reference} plan=${each} />`)}</ul>`}
    </${Panel}>
  `;
}

function Plan({ plan }) {
  return html`
    <li class="plan" data-offered=${plan.isActive && !plan.hidden}>
      <header>
        <h3><${Said} text=${plan.name} /></h3>
        ${plan.default && html`<${Mark} text="Default" tone="good" />`}
        ${plan.hidden && html`<${Mark} text="Hidden" />`}
        ${!plan.isActive && html`<${Mark} text=${plan.status} tone="warn" />`}
      </header>
      <p class="price">${priceOf(plan)}</p>
      <p class="about">${TYPES[plan.type]} · <code><${Said} text=${plan.reference} /></code></p>
      ${plan.description && html`<p class="about"><${Said} text=${plan.description} /></p>`}
      <ul class="terms">${termsOf(plan).map((each) => html`<li key=${each}><${Said} text=${each} /></li>`)}</ul>
    </li>
  `;
}
