/** What the page asks the server for one picture of an environment. */

import * as api from "./api.js";
import { assignColors } from "./colors.js";
import { RANGES, iso, windowOf, zone } from "./time.js";

export const TOLD_APART = 7; // types in the chart; the rest is one
export const TOP_CUSTOMERS = 8;
const LATEST = 40;
const REJECTIONS = 20;
const SETTLING_ROUNDS = 3; // an event is in every answer a second after it was received
const BEFORE_EVERY = 15_000;
const MINUTES = 30;

/**
 * Asks in rounds. What is cheap is asked each time; the rest when something came in, a minute passed,
 * or the question changed.
 */
export class Questions {
  #known = { question: "", received: null, minute: 0, unsettled: 0, beforeAt: 0 };
  #answers = {};

  /** One whole picture. choice: environment, range, measure, and type, null for the most frequent. */
  async round(choice, signal) {
    const now = api.serverNow();
    const ask = new Asking(choice, now, signal);
    const [ingest, lastMinute, latest] = await Promise.all([ask.ingest(), ask.lastMinute(), ask.latest()]);
    Object.assign(this.#answers, { now, ingest, lastMinute, latest });
    if (this.#isStale(ask, now, ingest)) {
      await this.#askAll(ask, choice, now);
      this.#known.unsettled -= 1;
    }
    return { ...this.#answers };
  }

  #isStale(ask, now, ingest) {
    const known = this.#known;
    const minute = Math.floor(now / 60_000);
    if (known.question !== ask.name || known.minute !== minute || known.received !== ingest.total.received) {
      const beforeAt = known.question === ask.name ? known.beforeAt : 0;
      this.#known = { question: ask.name, received: ingest.total.received, minute, beforeAt, unsettled: SETTLING_ROUNDS };
    }
    return this.#known.unsettled > 0;
  }

  async #askAll(ask, choice, now) {
    const [counts, sums, minutes] = await Promise.all([ask.counts(), ask.sums(), ask.minutes()]);
    const type = chosenType(choice.type, counts, sums);
    assignColors(counts.series.flatMap((each) => each.group.type ?? []));
    const [customers, over, before] = await Promise.all([
      ask.customers(type),
      choice.measure === "units" && type !== null ? ask.unitsOver(type) : null,
      now - this.#known.beforeAt > BEFORE_EVERY || this.#answers.type !== type ? ask.before(type) : this.#answers.before,
    ]);
    if (before !== this.#answers.before) this.#known.beforeAt = now;
    Object.assign(this.#answers, { window: ask.window, measure: choice.measure, counts, sums, minutes, type, customers, over, before });
  }
}

/** The type whose units are shown: the one that was chosen, else the most frequent; null for none. */
function chosenType(chosen, counts, sums) {
  if (chosen !== null) return chosen;
  return counts.series.find((each) => !each.group.other)?.group.type ?? sums.series[0]?.group.type ?? null;
}

class Asking {
  constructor(choice, now, signal) {
    this.window = { ...windowOf(choice.range, now), granularity: RANGES[choice.range].granularity };
    this.name = JSON.stringify(choice);
    this.choice = choice;
    this.now = now;
    this.signal = signal;
    this.span = { from: iso(this.window.from), to: iso(this.window.to) };
  }

  #get(path, params) {
    return api.get(path, { environment: this.choice.environment, ...params }, this.signal);
  }

  #usage(params) {
    return this.#get("usage", { ...this.span, timezone: zone, numbers: "string", ...params });
  }

  ingest = () => this.#get("ingest", { from: this.span.from, limit: REJECTIONS });

  latest = () => this.#get("events", { kind: "all", order: "received", limit: LATEST, numbers: "string" });

  /** Events of the last 60 seconds; a clock that is a little ahead does not hide them. */
  lastMinute = () => this.#usage({ aggregate: "count", from: iso(this.now - 60_000), to: iso(this.now + 2_000) });

  minutes() {
    const end = Math.floor(this.now / 60_000) * 60_000;
    return this.#usage({ aggregate: "count", granularity: "minute", from: iso(end - MINUTES * 60_000), to: iso(end) });
  }

  counts = () => this.#usage({ aggregate: "count", groupBy: "type", granularity: this.window.granularity, top: TOLD_APART });

  sums = () => this.#usage({ groupBy: "type" });

  unitsOver = (type) => this.#usage({ type, granularity: this.window.granularity });

  customers(type) {
    const of = this.choice.measure === "units" ? { type } : { aggregate: "count" };
    return this.#usage({ ...of, groupBy: "customerRef", top: TOP_CUSTOMERS });
  }

  async before(type) {
    const span = { from: iso(this.window.before.from), to: iso(this.window.before.to) };
    const [events, units] = await Promise.all([
      this.#usage({ ...span, aggregate: "count" }),
      type === null ? null : this.#usage({ ...span, type }),
    ]);
    return { events: events.total, units: units?.total ?? null };
  }
}
