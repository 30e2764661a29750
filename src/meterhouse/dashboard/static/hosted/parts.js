/**
 * What both hosted pages have: the session in the link, the seller's name above, its links below, and what is said
 * when nothing works.
 */

import { html } from "../html.js";
import { Said, shown } from "../view-parts.js";
import { host } from "./words.js";

/** The id in the address; null where it cannot be one. */
export function sessionId() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  return /^[\w-]{1,64}$/.test(id) ? id : null;
}

/** What `ask` answers for the session of a link, as a change of the page's state; what failed is one too. */
export async function visit(id, ask) {
  const nowhere = { gone: { status: "unknown" } };
  if (id === null) return nowhere;
  try {
    return await ask();
  } catch (error) {
    return error.status === 404 ? nowhere : { wrong: error.message };
  }
}

/** The page around its children; others stand in their place until there is a session, and after it has ended. */
export function Page({ state, what, onAgain, children }) {
  const { session, gone, wrong } = state;
  return html`
    <${Frame} merchant=${session?.merchant} environment=${session?.environment} back=${session?.step === "done" ? undefined : session?.backUrl}>
      ${gone !== null
        ? html`<${Ended} status=${gone.status} merchant=${gone.merchant} back=${gone.backUrl ?? gone.returnUrl} what=${what} />`
        : session !== null
          ? children
          : wrong === null
            ? html`<p class="waiting" aria-busy="true">One moment …</p>`
            : html`<${Trouble} message=${wrong} onAgain=${onAgain} />`}
    <//>
  `;
}

function Frame({ merchant, environment, back, children }) {
  const name = html`
    <span class="monogram" aria-hidden="true">${first(merchant?.displayName ?? "")}</span>
    <${Said} text=${merchant?.displayName} />
  `;
  return html`
    <header class="top">
      ${back
        ? html`<a class="seller" href=${back} rel="noreferrer" title=${`Back to ${shown(host(back))}`}><svg class="arrow" viewBox="0 0 20 20" role="img" aria-label="Back to"><path d="M12 4l-6 6 6 6" /></svg>${name}</a>`
        : html`<p class="seller">${name}</p>`}
      ${environment === "sandbox" && html`<p class="sandbox" title="Nothing here is charged">Test mode</p>`}
    </header>
    <main class="main">${children}</main>
    <${Foot} merchant=${merchant} />
  `;
}

/** The first character as people see it: an emoji or a letter with its marks is one. */
const first = (text) => [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text.trim())][0]?.segment.toUpperCase();

function Foot({ merchant }) {
  const links = [
    ["Terms", merchant?.termsUrl],
    ["Privacy", merchant?.privacyUrl],
    ["Support", merchant?.supportUrl ?? (merchant?.supportEmail && `mailto:${merchant.supportEmail}`)],
  ].filter(([, url]) => url);
  return html`
    <footer class="foot">
      ${links.map(([text, url]) => html`<a key=${text} href=${url} rel="noreferrer">${text}</a>`)}
      <span>Powered by Meterhouse</span>
    </footer>
  `;
}

/** One thing that is said in the middle of the page. mark: `done`, `over` or `wrong`. */
export function Notice({ mark, title, children }) {
  return html`
    <section class="notice" data-mark=${mark}>
      <svg class="mark" viewBox="0 0 48 48" aria-hidden="true">
        <circle cx="24" cy="24" r="23" />
        <path d=${{ done: "M14 25l7 7 13-15", over: "M24 13v12l8 5", wrong: "M24 13v14M24 33v1" }[mark]} />
      </svg>
      <h1 tabindex="-1">${title}</h1>
      ${children}
    </section>
  `;
}

/** What a link that leads nowhere any more says. */
function Ended({ status, merchant, back, what }) {
  const seller = merchant ? html`<${Said} text=${merchant.displayName} />` : "the page that sent you here";
  const way = back && html`<p><a class="primary" href=${back} rel="noreferrer">Back to ${shown(host(back))}</a></p>`;
  if (status === "used") return html`<${Notice} mark="done" title="This is done already"><p>The link works once, and was used. There is nothing left to do here.</p>${way}<//>`;
  if (status === "expired") {
    return html`<${Notice} mark="over" title="This link has expired"><p>Links to ${what} work for 15 minutes. Go back to ${seller} and open it again. Nothing was charged.</p>${way}<//>`;
  }
  return html`<${Notice} mark="wrong" title="This link leads nowhere"><p>It is incomplete, or it is too old. Go back to ${seller} and open it again.</p><//>`;
}

function Trouble({ message, onAgain }) {
  return html`<${Notice} mark="wrong" title="That did not work"><p role="alert">${message}</p><p><button class="primary" onClick=${onAgain}>Try again</button></p><//>`;
}

/** Let a screen reader say what the page has become. */
export const focusTitle = () => document.querySelector("h1")?.focus({ preventScroll: true });
