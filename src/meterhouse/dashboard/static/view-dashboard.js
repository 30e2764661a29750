/** The signed-in page: who and where, the figures, the chart, customers, events, what came in. */

import { html } from "./html.js";
import { hashOf } from "./routes.js";
import { RANGES, clock } from "./time.js";
import { Cards } from "./view-cards.js";
import { Customer } from "./view-customer.js";
import { CustomerList } from "./view-customer-list.js";
import { Customers } from "./view-customers.js";
import { EventDialog } from "./view-event.js";
import { Events } from "./view-events.js";
import { FirstEvent } from "./view-first-event.js";
import { Ingest } from "./view-ingest.js";
import { Meter } from "./view-meter.js";
import { MeterList } from "./view-meter-list.js";
import { Choice, Logo, Panel, Said } from "./view-parts.js";
import { Plans } from "./view-plans.js";
import { Usage } from "./view-usage.js";

const ENVIRONMENTS = [["sandbox", "Sandbox", "For trying things"], ["live", "Live", "Real customers"]];
const SPANS = Object.entries(RANGES).map(([range, { short, name }]) => [range, short, name]);

const PAGES = [["overview", "Overview"], ["customers", "Customers"], ["meters", "Meters"], ["plans", "Plans"]];

export function Dashboard({ state, names, does }) {
  const { place, choice, page } = state;
  return html`
    <${Head} state=${state} does=${does} />
    <${Trouble} trouble=${state.trouble} does=${does} />
    <main class="page" tabindex="-1">
      ${place.page === "overview"
        ? html`<${Overview} state=${state} names=${names} does=${does} />`
        : page?.refused
          ? html`<${Refused} place=${place} message=${page.refused} environment=${choice.environment} />`
          : html`<${viewOf(place)} key=${place.page + place.ref} place=${place} page=${page} choice=${choice} names=${names} does=${does} />`}
    </main>
    <${EventDialog} event=${state.open} environment=${choice.environment} names=${names} does=${does} />
  `;
}

function viewOf({ page, ref }) {
  if (page === "customers") return ref === null ? CustomerList : Customer;
  if (page === "meters") return ref === null ? MeterList : Meter;
  return Plans;
}

/** The address names what is not there, or asks what cannot be answered. */
function Refused({ place, message, environment }) {
  return html`
    <${Panel} id="refused" title="Not here" about=${`in ${environment}`}>
      <p class="empty">${message} <a href=${hashOf(place.page)}>All ${place.page}</a></p>
    </${Panel}>
  `;
}

function Overview({ state, names, does }) {
  const { picture, choice } = state;
  const nothing = picture !== null && picture.latest.events.length === 0 && picture.ingest.total.received === 0;
  return html`
      <${Cards} picture=${picture} choice=${choice} does=${does} />
      ${nothing
        ? html`<${FirstEvent} environment=${choice.environment} provider=${state.session.provider.name} />`
        : html`
            <${Usage} picture=${picture} choice=${choice} does=${does} />
            <${Customers} picture=${picture} choice=${choice} names=${names} />
            <${Events} picture=${picture} names=${names} held=${state.held} does=${does} />
            <${Ingest} picture=${picture} />
          `}
  `;
}

function Head({ state, does }) {
  const { session, choice, place, trouble } = state;
  const shown = place.page === "overview" ? state.picture : state.page;
  const isOverTime = place.page === "overview" || (place.page === "meters" && place.ref !== null);
  return html`
    <header class="head">
      <div class="brand">
        <${Logo} />
        <h1>Meterhouse</h1>
        <${Said} className="provider" text=${session.provider.name} />
      </div>
      <${Choice} name="environment" legend="Environment" options=${ENVIRONMENTS} value=${choice.environment}
        onChoose=${(environment) => does.choose({ environment })} />
      ${isOverTime && html`<${Choice} name="range" legend="Time range" options=${SPANS} value=${choice.range}
        onChoose=${(range) => does.choose({ range })} />`}
      <p class="pulse" data-pulse=${trouble ? "lost" : shown ? "live" : "waiting"}>
        <span class="dot"></span>${trouble ? "Not live" : shown ? html`Live <time>${clock(shown.now)}</time>` : "Loading"}
      </p>
      <div class="account">
        <${Said} className="who" text=${session.email ?? "signed in by link"} />
        <button class="quiet" onClick=${does.signOut}>Sign out</button>
      </div>
      <nav class="pages" aria-label="Pages">
        ${PAGES.map(([page, name]) => html`<a key=${page} href=${hashOf(page)} aria-current=${page === place.page ? "page" : null}>${name}</a>`)}
      </nav>
    </header>
  `;
}

function Trouble({ trouble, does }) {
  const at = trouble && `${trouble.message} What you see is older. Trying again at ${clock(trouble.retryAt)}.`;
  return html`
    <div class="trouble" role="status">
      ${trouble && html`<p>${at} <button class="quiet" onClick=${does.retry}>Try now</button></p>`}
    </div>
  `;
}
