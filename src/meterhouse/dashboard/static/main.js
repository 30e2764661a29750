/** The page: who is signed in, what they chose, and the picture of it. */

import * as api from "./api.js";
import { html, render } from "./html.js";
import { Names } from "./names.js";
import { askPage } from "./pages.js";
import { Poll } from "./poll.js";
import { Questions } from "./questions.js";
import { hashOf, placeOf, samePage } from "./routes.js";
import { Dashboard } from "./view-dashboard.js";
import { SignIn } from "./view-sign-in.js";

const TOKEN = /^#sign-in=([\w-]+)$/;
const LAST = "meterhouse:choice";
const EVERY = 750; // with the time to answer, an event shows within a second
const EVERY_PAGE = 3_000; // the other pages ask everything each time
const EVERY_REFUSED = 30_000; // what is not there seldom comes to be
const CHOICES = { environment: ["sandbox", "live"], range: ["24h", "1h", "7d", "30d"] }; // the first unless said

let names = new Names();
let questions = new Questions();
const poll = new Poll(round, failed, () => (isOverview() ? EVERY : state.page?.refused ? EVERY_REFUSED : EVERY_PAGE));

/**
 * phase: starting, signed-out or signed-in. notice: a sentence on the sign-in screen.
 * place: the page that is shown. picture: what the overview was answered for the choice, page: what another page
 * was; null before they were. trouble: why it is old, and the next try.
 */
let state = {
  phase: "starting", session: null, notice: null, choice: firstChoice(), place: placeOf(location.hash),
  picture: null, page: null, trouble: null, held: null, open: null,
};

const isOverview = () => state.place.page === "overview";

function update(patch) {
  state = { ...state, ...patch };
  document.documentElement.dataset.environment = state.phase === "signed-in" ? state.choice.environment : "";
  const view = state.phase === "signed-in" ? Dashboard : SignIn;
  render(html`<${view} state=${state} names=${names} does=${does} />`, document.getElementById("app"));
}

const does = {
  choose(patch) {
    const choice = { ...state.choice, ...patch };
    const moved = choice.environment !== state.choice.environment;
    if (moved) choice.type = null;
    const kept = moved || choice.range !== state.choice.range ? null : state.picture;
    const place = moved ? placeOf(hashOf(state.place.page)) : state.place; // a ref is of one environment
    if (moved) history.replaceState(null, "", hashOf(place.page));
    remember(choice);
    update({ choice, place, picture: kept, page: null, held: null, open: moved ? null : state.open });
    poll.again();
  },
  /** Ask something else of the page that is shown, without a step in the browser's history. */
  ask(asked) {
    const { page, ref } = state.place;
    history.replaceState(null, "", hashOf(page, ref, asked));
    update({ place: placeOf(location.hash) });
    poll.again();
  },
  hold: (events) => update({ held: events }),
  open: (event) => update({ open: event }),
  retry: () => poll.again(),
  async signIn(credentials) {
    signedIn(await api.signIn(credentials));
  },
  async signOut() {
    poll.stop();
    try {
      await api.signOut();
      signedOut("You are signed out.");
    } catch (error) {
      if (error.status === 401) return signedOut("You are signed out.");
      failed(error, Date.now());
      poll.start();
    }
  },
};

async function round(signal) {
  const { choice, place } = state;
  if (!isOverview()) {
    const page = await askPage(place, choice, signal);
    if (!signal.aborted) update({ page, trouble: null });
    return;
  }
  const picture = await questions.round(choice, signal);
  if (signal.aborted) return;
  update({ picture, trouble: null });
  await names.learn(picture.customers.series.map((each) => each.group.customerRef), choice.environment, signal);
  if (!signal.aborted) update({});
}

function failed(error, retryAt) {
  if (!(error instanceof api.ApiError)) console.error(error); // a fault of this page
  if (error.status === 401) signedOut("Your session has ended.");
  else update({ trouble: { message: error.message, retryAt } });
}

/** Nothing is kept of who was signed in before: it may have been to another provider. */
function signedIn(session) {
  names = new Names();
  questions = new Questions();
  const choice = { ...state.choice, measure: "events", type: null };
  update({ phase: "signed-in", session, choice, notice: null, picture: null, page: null, trouble: null, held: null, open: null });
  remember(choice);
  poll.start();
}

function signedOut(notice) {
  poll.stop();
  update({ phase: "signed-out", session: null, picture: null, page: null, held: null, open: null, notice });
}

/** What the address says, else what was chosen last. */
function firstChoice() {
  let last = {};
  try {
    last = JSON.parse(localStorage.getItem(LAST)) ?? {};
  } catch {
    // Nothing was kept, or nothing may be.
  }
  const asked = new URLSearchParams(location.search);
  const of = (name) => [asked.get(name), last[name], CHOICES[name][0]].find((each) => CHOICES[name].includes(each));
  return { environment: of("environment"), range: of("range"), measure: "events", type: null };
}

function remember({ environment, range }) {
  history.replaceState(null, "", `?${new URLSearchParams({ environment, range })}${location.hash}`);
  try {
    localStorage.setItem(LAST, JSON.stringify({ environment, range }));
  } catch {
    // The address still says it.
  }
}

/** The token of a sign-in link, which is then gone from the address and the history; null for none. */
function takeToken() {
  const token = TOKEN.exec(location.hash)?.[1] ?? null;
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

async function begin() {
  const token = takeToken();
  try {
    signedIn(await (token === null ? api.session() : api.signIn({ token })));
  } catch (error) {
    if (token === null) signedOut(error.status === 401 ? null : error.message);
    else await stillSignedIn(error);
  }
}

/** A link that is used up does not sign out who is signed in. */
async function stillSignedIn(error) {
  const notice = error.status === 401 ? "This link was used before, or is older than 15 minutes." : error.message;
  try {
    signedIn(await api.session());
  } catch {
    signedOut(notice);
  }
}

/** The address was changed: by a link, or by who went back. */
function moved() {
  if (TOKEN.test(location.hash)) return begin();
  const place = placeOf(location.hash);
  const stays = samePage(place, state.place);
  update({ place, page: stays ? state.page : null, trouble: null, open: null });
  if (state.phase !== "signed-in") return;
  poll.again();
  if (stays) return;
  document.querySelector("main")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

addEventListener("hashchange", moved);
update({});
begin();
