/** Small parts that several views use. */

import { html } from "./html.js";

/** A few choices of which one is made. options: `[value, text]`, hint for who hears it. */
export function Choice({ name, legend, options, value, onChoose }) {
  return html`
    <fieldset class="choice" data-choice=${name}>
      <legend class="unseen">${legend}</legend>
      ${options.map(
        ([each, text, hint]) => html`
          <label key=${each} title=${hint}>
            <input type="radio" name=${name} value=${each} checked=${each === value} onChange=${() => onChoose(each)} />
            <span>${text}</span>
          </label>
        `,
      )}
    </fieldset>
  `;
}

/** A titled part of the page. aside: what stands at the end of its title's line. */
export function Panel({ id, title, about, aside, children }) {
  return html`
    <section class="panel" id=${id} aria-labelledby=${`${id}-title`}>
      <header class="panel-head">
        <h2 id=${`${id}-title`}>${title}</h2>
        ${about && html`<p class="about">${about}</p>`}
        <div class="aside">${aside}</div>
      </header>
      ${children}
    </section>
  `;
}

// Characters that nobody sees, and that turn what stands around them.
const HIDDEN = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text that somebody else chose, with its hidden characters shown: `gnp.exe` must not read `exe.png`. */
export const shown = (text) => text.replace(HIDDEN, (each) => `‹U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);

/** Text that somebody else chose, which keeps its direction to itself. */
export function Said({ text, className, title }) {
  return html`<bdi class=${className} title=${shown(title ?? text ?? "")}>${shown(text ?? "")}</bdi>`;
}

/** A place where something will be. */
export const Waiting = ({ className }) => html`<div class=${`waiting ${className ?? ""}`} aria-hidden="true"></div>`;

export const Logo = () => html`
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="currentColor" />
    <path class="logo-line" d="M7 15.5 16 8l9 7.5V24a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1zM12 25v-4.5M16 25v-8M20 25v-6" />
  </svg>
`;
