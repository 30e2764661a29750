/** What came in and what became of it: it has to add up, and here one sees it. */

import { html } from "./html.js";
import { exact, share } from "./numbers.js";
import { day, minute, when } from "./time.js";
import { Panel, Said, Waiting } from "./view-parts.js";

const SHOWN = 8;

export function Ingest({ picture }) {
  const since = picture && picture.window.from - (picture.window.from % 3_600_000); // it is counted by the hour
  const about = picture && `received since ${day(since)}, ${minute(since)}`;
  return html`
    <${Panel} id="ingest" title="Ingest" about=${about}>
      ${picture === null ? html`<${Waiting} className="list" />` : html`<${Tally} ingest=${picture.ingest} now=${picture.now} />`}
    </${Panel}>
  `;
}

function Tally({ ingest, now }) {
  const { received, stored, duplicates, rejected, codes } = ingest.total;
  const parts = [["stored", "Stored", stored], ["duplicates", "Duplicates", duplicates], ["rejected", "Rejected", rejected]];
  const all = String(received);
  return html`
    <div class="tally">
      <p class="received"><span class="figure">${exact(all)}</span> events received =</p>
      <div class="tally-bar" aria-hidden="true">
        ${parts.map(([id, , events]) => events > 0 && html`<span key=${id} data-part=${id} style=${{ flexGrow: Math.max(share(String(events), all), 0.006) }}></span>`)}
      </div>
      <dl class="parts">
        ${parts.map(([id, name, events], at) => html`
          <div key=${id} data-part=${id}><dt>${name}</dt><dd class="number">${at > 0 ? "+ " : ""}${exact(String(events))}</dd></div>
        `)}
      </dl>
      <${Rejections} rejections=${ingest.rejections} codes=${codes} now=${now} />
    </div>
  `;
}

function Rejections({ rejections, codes, now }) {
  const counted = Object.entries(codes).sort(([, one], [, two]) => two - one);
  if (counted.length === 0 && rejections.length === 0) return html`<p class="empty small">Nothing was rejected.</p>`;
  return html`
    ${counted.length > 0 && html`<p class="codes">${counted.map(([code, events]) => html`<span key=${code}><code>${code}</code> ${exact(String(events))}</span>`)}</p>`}
    <h3>Last rejections</h3>
    <ul class="rejections" tabindex="0" aria-label="Last rejections">
      ${rejections.slice(0, SHOWN).map(
        (each, at) => html`
          <li key=${`${each.receivedAt}${at}`}>
            <time datetime=${each.receivedAt}>${when(each.receivedAt, now)}</time>
            <span>${each.errors.length === 0 ? html`<code>${each.code}</code>` : each.errors.map((error) => html`<span class="reason"><${Said} className="path" text=${error.path} /> <${Said} text=${error.message} /></span>`)}</span>
          </li>
        `,
      )}
    </ul>
  `;
}
