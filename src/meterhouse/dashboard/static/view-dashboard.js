/** The signed-in page: who and where, the figures, the chart, customers, events, what came in. */

import { html } from "./html.js";
import { RANGES, clock } from "./time.js";
import { Cards } from "./view-cards.js";
import { Customers } from "./view-customers.js";
import { EventDialog } from "./view-event.js";
import { Events } from "./view-events.js";
import { FirstEvent } from "./view-first-event.js";
import { Ingest } from "./view-ingest.js";
import { Choice, Logo, Said } from "./view-parts.js";
import { Usage } from "./view-usage.js";

const ENVIRONMENTS = [["sandbox", "Sandbox", "For trying things"], ["live", "Live", "Real customers"]];
const SPANS = Object.entries(RANGES).map(([range, { short, name }]) => [range, short, name]);

export function Dashboard({ state, names, does }) {
  const { picture, choice } = state;
  const nothing = picture !== null && picture.latest.events.length === 0 && picture.ingest.total.received === 0;
  return html`
    <${Head} state=${state} does=${does} />
    <${Trouble} trouble=${state.trouble} does=${does} />
    <main class="page">
      <${Cards} picture=${picture} choice=${choice} does=${does} />
      ${nothing
        ? html`<${FirstEvent} environment=${choice.environment} provider=${state.session.provider.name} />`
        : html`
            <${Usage} picture=${picture} choice=${choice} does=${does} />
            <${Customers} picture=${picture} choice=${choice} names=${names} />
            <${Events} picture=${picture} names=${names} held=${state.held} does=${does} />
            <${Ingest} picture=${picture} />
          `}
    </main>
    <${EventDialog} event=${state.open} environment=${choice.environment} names=${names} does=${does} />
  `;
}

function Head({ state, does }) {
  const { session, choice, picture, trouble } = state;
  return html`
    <header class="head">
      <div class="brand">
        <${Logo} />
        <h1>Meterhouse</h1>
        <${Said} className="provider" text=${session.provider.name} />
      </div>
      <${Choice} name="environment" legend="Environment" options=${ENVIRONMENTS} value=${choice.environment}
        onChoose=${(environment) => does.choose({ environment })} />
      <${Choice} name="range" legend="Time range" options=${SPANS} value=${choice.range}
        onChoose=${(range) => does.choose({ range })} />
      <p class="pulse" data-pulse=${trouble ? "lost" : picture ? "live" : "waiting"}>
        <span class="dot"></span>${trouble ? "Not live" : picture ? html`Live <time>${clock(picture.now)}</time>` : "Loading"}
      </p>
      <div class="account">
        <${Said} className="who" text=${session.email ?? "signed in by link"} />
        <button class="quiet" onClick=${does.signOut}>Sign out</button>
      </div>
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
