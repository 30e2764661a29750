/** One event with everything it has. */

import { getText } from "./api.js";
import { Component, createRef, html } from "./html.js";
import { field } from "./json.js";
import { exact } from "./numbers.js";
import { hashOf } from "./routes.js";
import { whole } from "./time.js";
import { Said, shown } from "./view-parts.js";

export class EventDialog extends Component {
  state = { properties: null };
  #dialog = createRef();

  componentDidUpdate(before) {
    const { event } = this.props;
    if (event === before.event) return;
    const dialog = this.#dialog.current;
    if (event === null) return dialog.close();
    this.#load(event);
    if (!dialog.open) dialog.showModal();
  }

  async #load(event) {
    this.setState({ properties: null });
    let properties;
    try {
      const text = await getText(`events/${event.eventId}`, { environment: this.props.environment });
      properties = shown(field(text, "properties"));
    } catch (error) {
      properties = error.message;
    }
    if (this.props.event === event) this.setState({ properties });
  }

  render({ event, names, does }, { properties }) {
    const close = () => does.open(null);
    const outside = (click) => click.target === this.#dialog.current && close();
    return html`
      <dialog ref=${this.#dialog} class="event" aria-labelledby="event-title" onClose=${close} onClick=${outside}>
        ${event && html`<${Details} event=${event} name=${names.of(event.customerRef)} properties=${properties} close=${close} />`}
      </dialog>
    `;
  }
}

function Details({ event, name, properties, close }) {
  const { customerRef: ref } = event;
  const customer = html`${ref ? html`<a href=${hashOf("customers", ref)}><${Said} text=${ref} /></a>` : "nobody"} ${name && html`<${Said} className="about" text=${name} />`}`;
  const rows = [
    ["Event", html`<code>${event.eventId}</code>`],
    ["Kind", event.kind],
    ["Customer", customer],
    ["Product", event.productRef ? html`<${Said} text=${event.productRef} />` : "–"],
    ["Units", html`<span class="number">${exact(event.units)}</span>`],
    ["Happened", whole(event.timestamp)],
    ["Received", whole(event.receivedAt)],
    ["Idempotency key", event.idempotencyKey ? html`<${Said} text=${event.idempotencyKey} />` : "–"],
  ];
  return html`
    <div class="event-body">
      <header>
        <h2 id="event-title"><${Said} text=${event.type} /></h2>
        <button class="quiet" aria-label="Close" onClick=${close}>✕</button>
      </header>
      <dl>${rows.map(([term, said]) => html`<div key=${term}><dt>${term}</dt><dd>${said}</dd></div>`)}</dl>
      <h3>Properties</h3>
      <pre tabindex="0" dir="ltr">${properties === null ? "…" : properties === "null" ? "none" : properties}</pre>
    </div>
  `;
}
