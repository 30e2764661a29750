/** Usage against a limit, and other parts of the pages about customers, meters and plans. */

import { html } from "./html.js";
import { billionths, decimal, exact, share } from "./numbers.js";
import { STATUSES } from "./words.js";

const NEARLY = 0.9;

/** A mark beside a name. tone: plain, good, warn or bad. */
export const Mark = ({ text, tone = "plain" }) => html`<span class="mark" data-tone=${tone}>${text}</span>`;

/** A purchase's state; one that is cancelled and still gives access says so. */
export function State({ purchase }) {
  const { status, cancelledAt } = purchase;
  if (status === "active" && cancelledAt) return html`<${Mark} text="Ends" tone="warn" />`;
  const tone = { active: "good", trialing: "good", suspended: "bad", past_due: "bad" }[status] ?? "plain";
  return html`<${Mark} text=${STATUSES[status] ?? status} tone=${tone} />`;
}

/**
 * A bar of what is used and held, out of a limit. used, held, limit: decimal texts; limit: undefined for none.
 * The bar is rounded, the words below it are exact.
 */
export function UsageBar({ used, held = "0", limit }) {
  const taken = decimal(billionths(used) + billionths(held));
  const over = limit === undefined ? 0n : billionths(used) - billionths(limit);
  const tone = limit === undefined ? "none" : over > 0n || share(taken, limit) >= 1 ? "full" : share(taken, limit) >= NEARLY ? "nearly" : "free";
  const width = (part) => ({ width: `${Math.min(share(part, limit ?? "0"), 1) * 100}%` });
  return html`
    <div class="usage-bar" data-tone=${tone}>
      <div class="usage-track" aria-hidden="true">
        ${limit !== undefined && html`<span class="usage-used" style=${width(used)}></span><span class="usage-held" style=${width(held)}></span>`}
      </div>
      <p>
        <span><strong>${exact(used)}</strong>${limit === undefined ? " used, no limit" : ` of ${exact(limit)} used`}</span>
        <span class="usage-more">${held !== "0" && html`<span class="usage-held-key"></span>${exact(held)} held`}${over > 0n && html` <em>${exact(decimal(over))} over</em>`}</span>
      </p>
    </div>
  `;
}

/** Links to the pages before and after. first, next: hashes, null for none. */
export function Pages({ first, next }) {
  if (first === null && next === null) return null;
  return html`
    <nav class="turn" aria-label="More">
      ${first !== null && html`<a href=${first}>To the start</a>`}
      ${next !== null && html`<a href=${next}>Next</a>`}
    </nav>
  `;
}
