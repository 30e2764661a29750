/** The latest events as they are received. Holding stops the list, not the counting. */

import { colorOf } from "./colors.js";
import { html } from "./html.js";
import { exact } from "./numbers.js";
import { when } from "./time.js";
import { Panel, Said, Waiting } from "./view-parts.js";

export function Events({ picture, names, held, does }) {
  const events = held ?? picture?.latest.events ?? [];
  const aside = html`
    <button class="quiet" aria-pressed=${held !== null} disabled=${picture === null}
      onClick=${() => does.hold(held === null ? events : null)}>${held === null ? "Pause" : "Go on"}</button>
  `;
  return html`
    <${Panel} id="latest" title="Latest events" about=${held === null ? "as they are received" : "paused"} aside=${aside}>
      ${picture === null
        ? html`<${Waiting} className="table" />`
        : events.length === 0
          ? html`<p class="empty">No event was received in this environment yet.</p>`
          : html`<${Table} events=${events} now=${picture.now} names=${names} does=${does} />`}
    </${Panel}>
  `;
}

export function Table({ events, now, names, does }) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="List of the latest events">
      <table class="events" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Type</th>
            <th role="columnheader" scope="col">Customer</th>
            <th role="columnheader" scope="col" class="number">Units</th>
            <th role="columnheader" scope="col">Happened</th>
            <th role="columnheader" scope="col">Received</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${events.map((event) => html`<${Row} key=${event.eventId} event=${event} now=${now} names=${names} does=${does} />`)}
        </tbody>
      </table>
    </div>
  `;
}

function Row({ event, now, names, does }) {
  const customer = event.customerRef ?? "nobody";
  const open = (click) => {
    click.currentTarget.querySelector("button").focus(); // where the dialog leads back to
    does.open(event);
  };
  return html`
    <tr role="row" onClick=${open}>
      <td role="cell" class="event-type">
        <span class="swatch" data-color=${colorOf(event.type)}></span>
        <button class="open"><${Said} text=${event.type} /></button>
        <span class="kind" data-kind=${event.kind}>${event.kind}</span>
      </td>
      <td role="cell" class="event-customer"><${Said} title=${customer} text=${names.of(event.customerRef) ?? customer} /></td>
      <td role="cell" class="event-units number" title=${exact(event.units)}>${exact(event.units)}</td>
      <td role="cell" class="event-time"><time datetime=${event.timestamp}>${when(event.timestamp, now)}</time></td>
      <td role="cell" class="event-received"><time datetime=${event.receivedAt}>${when(event.receivedAt, now)}</time></td>
    </tr>
  `;
}
