/** The checkout: choose a plan or an amount of credits, pay, go back to where the customer came from. */

import * as api from "../api.js";
import { html, render } from "../html.js";
import { Ended, Frame, Trouble, focusTitle, sessionId } from "./parts.js";
import { Choose, Done, Pay, Start, Topup } from "./steps.js";

const SECONDS_TO_LEAVE = 4;
const id = sessionId();
const path = (rest = "") => `checkout-sessions/${id}${rest}`;

/** session, plans: as they were answered. busy: which button works. wrong: why the last try failed. editing: the amount again. */
let state = { session: null, plans: [], busy: null, wrong: null, gone: null, editing: false, seconds: null };

function update(patch) {
  const before = stepOf(state);
  state = { ...state, ...patch };
  render(html`<${Page} state=${state} />`, document.getElementById("app"));
  if (before !== null && before !== stepOf(state)) focusTitle();
}

const stepOf = ({ session, editing }) => (session === null ? null : editing ? "topup" : (session.step ?? session.status));

async function load() {
  if (id === null) return update({ gone: { status: "unknown" } });
  update({ wrong: null });
  try {
    const session = await api.get(path(), {});
    document.title = `${session.merchant.displayName}: checkout`;
    if (session.status !== "active") return update({ session, gone: session });
    const { plans } = await api.get(path("/plans"), {});
    update({ session, plans });
  } catch (error) {
    if (error.status === 404) update({ gone: { status: "unknown" } });
    else update({ wrong: error.message });
  }
}

async function send(busy, rest, body) {
  update({ busy, wrong: null });
  try {
    const session = await api.post(path(rest), body);
    update({ session, busy: null, editing: false });
    if (session.step === "done" && session.returnUrl) leave(session.returnUrl, SECONDS_TO_LEAVE);
  } catch (error) {
    update({ busy: null, wrong: error.message });
    if (error.status === 409 || error.status === 404) load(); // it ended meanwhile, perhaps in another window
  }
}

/** Go to where the customer came from, once it has been seen where that is. */
function leave(url, seconds) {
  update({ seconds });
  if (seconds === 0) location.assign(url);
  else setTimeout(leave, 1_000, url, seconds - 1);
}

const does = {
  selectPlan: (planRef, currency) => send(planRef, "/select-plan", { planRef, currency }),
  selectTopup: (amount) => send("topup", "/select-topup-amount", { amount }),
  reset: () => send("reset", "/reset-plan"),
  pay: (outcome) => send(outcome, "/pay", { outcome }),
  editAmount: () => update({ editing: true, wrong: null }),
};

function Page({ state }) {
  const { session, gone } = state;
  return html`<${Frame} merchant=${session?.merchant} environment=${session?.environment}><${Body} state=${state} gone=${gone} /><//>`;
}

function Body({ state, gone }) {
  const { session } = state;
  if (gone !== null) return html`<${Ended} status=${gone.status} merchant=${gone.merchant} what="a checkout" />`;
  if (session === null) {
    return state.wrong === null ? html`<p class="waiting" aria-busy="true">One moment …</p>` : html`<${Trouble} message=${state.wrong} onAgain=${load} />`;
  }
  const view = { choose: Choose, start: Start, topup: Topup, pay: Pay, done: Done }[stepOf(state)];
  return html`<${view} state=${state} session=${session} does=${does} />`;
}

load();
