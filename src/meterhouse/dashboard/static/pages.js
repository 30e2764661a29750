/** What each page but the overview asks the server for. Numbers are texts, with all their digits. */

import * as api from "./api.js";
import { RANGES, iso, windowOf, zone } from "./time.js";

const CUSTOMERS = 50;
const PRODUCTS = 20;
const MOVES = 20;
const EVENTS = 20;
const PERIODS = 12;
const SHOWN_PURCHASES = 3; // whose periods are asked for

/** Everything a place shows: `{ now, … }`, or `{ now, refused }` with a sentence where the address is wrong. */
export async function askPage(place, choice, signal) {
  const get = (path, params = {}) => api.getExact(path, { environment: choice.environment, ...params }, signal);
  const now = api.serverNow();
  try {
    return { now, ...(await asking(place)(get, place, choice, now)) };
  } catch (error) {
    if (error.status === 400 || error.status === 404) return { now, refused: error.message };
    throw error;
  }
}

function asking({ page, ref }) {
  if (page === "customers") return ref === null ? customers : customer;
  if (page === "meters") return ref === null ? meters : meter;
  return plans;
}

function customers(get, { asked }) {
  const { search, cursor } = asked;
  return get("customers", { search, cursor, limit: CUSTOMERS });
}

async function customer(get, { ref, asked }) {
  const at = `customers/${encodeURIComponent(ref)}`;
  const [found, balance, { purchases }, credits, latest] = await Promise.all([
    get(`sdk/${at}`),
    get(`sdk/${at}/balance`),
    get(`sdk/purchases/customer/${encodeURIComponent(ref)}`),
    get(`${at}/credits`, { limit: MOVES, cursor: asked.credits }),
    get("events", { customerRef: ref, kind: "all", order: "received", limit: EVENTS, numbers: "string" }),
  ]);
  const shown = purchases.slice(0, SHOWN_PURCHASES);
  const periods = await Promise.all(shown.map((each) => get(`purchases/${each.reference}/periods`, { limit: PERIODS })));
  return { customer: found, balance, purchases, credits, latest, periods };
}

const meters = (get) => get("meters");

async function meter(get, { ref, asked }, choice, now) {
  const { from, to } = windowOf(choice.range, now);
  const { granularity } = RANGES[choice.range];
  const span = { from: iso(from), to: iso(to), granularity, timezone: zone, numbers: "string" };
  const usage = await get(`meters/${encodeURIComponent(ref)}/usage`, { ...span, customerRef: asked.customer || null });
  return { usage, granularity };
}

const plans = (get, { asked }) => get("products", { limit: PRODUCTS, offset: asked.offset });
