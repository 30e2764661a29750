/** One customer: what it bought and used, its credits, its latest events. */

import { html } from "./html.js";
import { exact } from "./numbers.js";
import { hashOf } from "./routes.js";
import { date, when } from "./time.js";
import { Table as EventTable } from "./view-events.js";
import { Pages, State, UsageBar } from "./view-metered.js";
import { Panel, Said, Waiting } from "./view-parts.js";
import { MOVES, TYPES, money } from "./words.js";

export function Customer({ place, page, names, does }) {
  if (page === null) {
    return html`<${Panel} id="customer" title="Customer"><${Waiting} className="list" /></${Panel}>`;
  }
  return html`
    <${Who} customer=${page.customer} balance=${page.balance} />
    <div class="column">
      <${Purchases} purchases=${page.purchases} periods=${page.periods} />
      <${Panel} id="customer-events" title="Latest events" about="of both kinds">
        ${page.latest.events.length === 0
          ? html`<p class="empty">No event of this customer was received yet.</p>`
          : html`<${EventTable} events=${page.latest.events} now=${page.now} names=${names} does=${does} />`}
      </${Panel}>
    </div>
    <${Credits} place=${place} credits=${page.credits} now=${page.now} />
  `;
}

function Who({ customer, balance }) {
  const { reference, name, email, externalRef, createdAt } = customer;
  const facts = [["Reference", reference], ["Email", email], ["External reference", externalRef], ["Since", date(createdAt)]];
  return html`
    <${Panel} id="customer" title=${html`<${Said} text=${name || email} />`} aside=${html`<a class="back" href=${hashOf("customers")}>All customers</a>`}>
      <div class="who-facts">
        <dl class="facts">${facts.map(([term, said]) => said && html`<div key=${term}><dt>${term}</dt><dd><${Said} text=${said} /></dd></div>`)}</dl>
        <div class="balance">
          <h3>Credits</h3>
          <p class="figure" data-size="m">${exact(balance.credits)}</p>
          <p class="about">${balance.heldCredits === "0" ? "none held" : `${exact(balance.heldCredits)} held`}, worth ${balance.display.formatted}</p>
        </div>
      </div>
    </${Panel}>
  `;
}

const givesAccess = ({ status }) => status === "active" || status === "trialing";

function Purchases({ purchases, periods }) {
  return html`
    <${Panel} id="purchases" title="Purchases" about="the newest first">
      ${purchases.length === 0 && html`<p class="empty">This customer has bought nothing yet.</p>`}
      ${purchases.map((each) => html`
        <${Purchase} key=${each.reference} purchase=${each} periods=${periods.find((of) => of.purchaseRef === each.reference)?.periods ?? []} />
      `)}
    </${Panel}>
  `;
}

function Purchase({ purchase, periods }) {
  const { planSnapshot: plan, productName, usage, customerRef } = purchase;
  return html`
    <article class="purchase" data-active=${givesAccess(purchase)}>
      <header>
        <h3><${Said} text=${plan.name} /></h3> <${State} purchase=${purchase} />
        <span class="about">${TYPES[plan.planType]} plan of <${Said} text=${productName || purchase.productRef} /></span>
      </header>
      <p class="about">${timesOf(purchase)}</p>
      ${givesAccess(purchase) && html`
        <${UsageBar} used=${usage.used} held=${usage.heldUnits} limit=${usage.limitUnits} />
        <p class="about small">${notesOf(purchase)} <a href=${hashOf("meters", plan.meterRef, { customer: customerRef })}>Its meter over time</a></p>
      `}
      ${periods.length > 1 && html`<${Periods} periods=${periods} isOpen=${givesAccess(purchase)} />`}
    </article>
  `;
}

/** When it began, when it renews or ends. */
function timesOf({ planSnapshot, startDate, endDate, trialEndDate, nextBillingDate, cancelledAt, status, amount, currency }) {
  const perUnit = planSnapshot.creditsPerUnit ? `${exact(planSnapshot.creditsPerUnit)} credits a unit` : "Free";
  const price = amount === "0" ? perUnit : money(amount, currency);
  const end =
    status === "trialing" && trialEndDate ? `trial until ${date(trialEndDate)}`
    : cancelledAt ? `cancelled ${date(cancelledAt)}${endDate ? `, ${status === "active" ? "ends" : "ended"} ${date(endDate)}` : ""}`
    : nextBillingDate ? `renews ${date(nextBillingDate)}`
    : endDate ? `${status === "active" ? "ends" : "ended"} ${date(endDate)}`
    : "no end";
  return `${price} · since ${date(startDate)} · ${end}`;
}

function notesOf({ usage }) {
  const carried = usage.carriedOverUnits && usage.carriedOverUnits !== "0" ? `${exact(usage.carriedOverUnits)} carried over.` : "";
  const reset = usage.resetDate ? `Counted anew on ${date(usage.resetDate)}.` : "";
  return [carried, reset].filter(Boolean).join(" ");
}

function Periods({ periods, isOpen }) {
  return html`
    <details class="periods" open=${isOpen}>
      <summary>Usage per period</summary>
      <table>
        <thead><tr><th scope="col">Period</th><th scope="col">Used</th></tr></thead>
        <tbody>
          ${periods.map(({ periodStart, periodEnd, used, limitUnits }) => html`
            <tr key=${periodStart}>
              <th scope="row">${date(periodStart)}${periodEnd && ` – ${date(periodEnd)}`}</th>
              <td><${UsageBar} used=${used} limit=${limitUnits} /></td>
            </tr>
          `)}
        </tbody>
      </table>
    </details>
  `;
}

function Credits({ place, credits, now }) {
  const older = credits.nextCursor && hashOf(place.page, place.ref, { credits: credits.nextCursor });
  return html`
    <${Panel} id="credits" title="Credit history" about="the newest first">
      ${credits.items.length === 0
        ? html`<p class="empty">No credits were granted or used yet.</p>`
        : html`
            <table class="moves">
              <thead><tr><th scope="col">What</th><th scope="col" class="number">Credits</th><th scope="col" class="number">Balance</th></tr></thead>
              <tbody>${credits.items.map((each) => html`<${Move} key=${each.reference} move=${each} now=${now} />`)}</tbody>
            </table>
          `}
      <${Pages} first=${place.asked.credits ? hashOf(place.page, place.ref) : null} next=${older} />
    </${Panel}>
  `;
}

function Move({ move, now }) {
  const { type, amount, balance, timestamp, reason, productRef } = move;
  const isDebit = amount.startsWith("-");
  return html`
    <tr>
      <th scope="row">${MOVES[type] ?? type} <${Said} className="about" text=${reason ?? productRef} /><time class="about" datetime=${timestamp}>${when(timestamp, now)}</time></th>
      <td class="number" data-direction=${isDebit ? "down" : "up"}>${isDebit ? `−${exact(amount.slice(1))}` : `+${exact(amount)}`}</td>
      <td class="number">${exact(balance)}</td>
    </tr>
  `;
}
