/** The checkout: choose a plan or an amount of credits, pay, go back to where the customer came from. */

import * as api from "../api.js";
import { html, render } from "../html.js";
import { Page, focusTitle, sessionId, visit } from "./parts.js";
import { Choose, Done, Pay, Start, Topup } from "./steps.js";

const SECONDS_TO_LEAVE = 4;
const id = sessionId();
const path = (rest = "") => `checkout-sessions/${id}${rest}`;

/** session, plans: as they were answered. busy: which button works. wrong: why the last try failed. editing: the amount again. */
let state = { session: null, plans: [], busy: null, wrong: null, gone: null, editing: false, seconds: null };

function update(patch) {
  const before = stepOf(state);
  state = { ...state, ...patch };
  render(html`<${Checkout} state=${state} />`, document.getElementById("app"));
  if (before !== null && before !== stepOf(state)) focusTitle();
}

const stepOf = ({ session, editing }) => (session === null ? null : editing ? "topup" : (session.step ?? session.status));

async function load() {
  update({ wrong: null });
  update(await visit(id, ask));
}

async function ask() {
  const session = await api.get(path(), {});
  document.title = `${session.merchant.displayName}: checkout`;
  if (session.status !== "active") return { session, gone: session };
  const { plans } = await api.get(path("/plans"), {});
  return { session, plans };
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

const Checkout = ({ state }) => html`<${Page} state=${state} what="a checkout" onAgain=${load}><${Step} state=${state} /><//>`;

function Step({ state }) {
  const view = { choose: Choose, start: Start, topup: Topup, pay: Pay, done: Done }[stepOf(state)];
  return html`<${view} state=${state} session=${state.session} does=${does} />`;
}

load();
