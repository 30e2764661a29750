/** The checkout: choose a plan or an amount of credits, pay, go back to where the customer came from. */

import * as api from "../api.js";
import { html, render } from "../html.js";
import { Page, focusTitle, sessionId, visit } from "./parts.js";
import { Choose, Done, Pay, Start, Topup } from "./steps.js";
import { priceCredits } from "./words.js";

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

/* Each step is an entry of the browser's history, so that its Back button goes to the step before. */

const entry = () => ({ step: stepOf(state), planRef: state.session.plan?.reference, currency: state.session.currency });

function remember(before) {
  const step = stepOf(state);
  if (step === before || step === null) return;
  if (before === null || step === "done") history.replaceState(entry(), ""); // what is done is not undone by Back
  else history.pushState(entry(), "");
}

addEventListener("popstate", ({ state: to }) => {
  const at = stepOf(state);
  if (state.session === null || state.gone !== null || at === "done" || to?.step === at) return;
  if (state.busy !== null) history.pushState(entry(), ""); // it is being paid: stay
  else if (to?.step === "choose") send("reset", "/reset-plan", undefined, false);
  else if (to?.step === "topup" && state.session.amount !== undefined) update({ editing: true, wrong: null });
  else if (to?.step === "pay" && state.editing) update({ editing: false, wrong: null });
  else if (to?.step === "pay" && to.planRef) send("back", "/select-plan", { planRef: to.planRef, currency: to.currency }, false);
  else history.replaceState(entry(), "");
});

async function load() {
  const before = stepOf(state);
  update({ wrong: null });
  update(await visit(id, ask));
  if (state.session !== null && state.gone === null) remember(before);
}

async function ask() {
  const session = await api.get(path(), {});
  document.title = `${session.merchant.displayName}: checkout`;
  if (session.status !== "active") return { session, gone: session };
  priceCredits(session.creditPrices);
  const { plans } = await api.get(path("/plans"), {});
  return { session, plans };
}

async function send(busy, rest, body, recorded = true) {
  const before = stepOf(state);
  update({ busy, wrong: null });
  try {
    const session = await api.post(path(rest), body);
    update({ session, busy: null, editing: false });
    if (recorded) remember(before);
    else history.replaceState(entry(), "");
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

function editAmount() {
  update({ editing: true, wrong: null });
  remember("pay");
}

const does = {
  selectPlan: (planRef, currency) => send(planRef, "/select-plan", { planRef, currency }),
  selectTopup: (amount, currency) => send("topup", "/select-topup-amount", { amount, currency }),
  reset: () => send("reset", "/reset-plan"),
  pay: (outcome) => send(outcome, "/pay", { outcome }),
  editAmount,
};

const Checkout = ({ state }) => html`<${Page} state=${state} what="a checkout" onAgain=${load}><${Step} state=${state} /><//>`;

function Step({ state }) {
  const view = { choose: Choose, start: Start, topup: Topup, pay: Pay, done: Done }[stepOf(state)];
  return html`<${view} state=${state} session=${state.session} does=${does} />`;
}

load();
