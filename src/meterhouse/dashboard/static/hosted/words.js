/** How money, plans and times are said. Amounts are minor units of their currency. */

const CYCLES = { weekly: ["week", 7], monthly: ["month", 30], quarterly: ["quarter", 90], yearly: ["year", 365], custom: ["period", 30] };

/** The seller's price of credits: `{ currency, creditsPerMinorUnit }`. What credits are worth is said by it. */
let credit = { currency: "USD", creditsPerMinorUnit: 100 };
export const priceCredits = (prices) => (credit = prices?.[0] ?? credit);

/** How many digits of a currency's amounts are minor units: 2 of dollars, 0 of yen. */
export const digitsOf = (currency) => new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;

/** An amount of minor units, as people write it. A round one without its zeros where `short`. */
export function money(minor, currency, short = false) {
  const major = minor / 10 ** digitsOf(currency);
  const round = short && Number.isInteger(major);
  return new Intl.NumberFormat("en", { style: "currency", currency, ...(round && { maximumFractionDigits: 0 }) }).format(major);
}

/** "US dollars", "euros". */
export const currencyName = (currency) =>
  new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "name" }).formatToParts(2).find(({ type }) => type === "currency").value;

export const number = (value) => new Intl.NumberFormat("en", { maximumFractionDigits: 9 }).format(value);

/** What credits are worth, in the seller's currency. Fractions of its minor unit are shown. */
export function worth(credits) {
  const digits = digitsOf(credit.currency);
  const major = credits / credit.creditsPerMinorUnit / 10 ** digits;
  return new Intl.NumberFormat("en", { style: "currency", currency: credit.currency, maximumFractionDigits: digits + 4 }).format(major);
}

export const day = (text) => new Intl.DateTimeFormat("en", { dateStyle: "long" }).format(new Date(text));

/** Where an address leads, for people; the address itself where it has no host. */
export function host(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** "/ month"; nothing where a plan has no cycle. */
export const cycle = ({ billingCycle, type }) => (billingCycle && type !== "one-time" ? `/ ${CYCLES[billingCycle][0]}` : "");

/** "requests" is counted one request at a time. */
const one = (measures) => measures.replace(/s$/, "");

const many = (count, noun) => `${number(count)} ${count === 1 ? noun : `${noun}s`}`;

/** A plan's price in one line: `[amount, what it is for]`. */
export function price(plan) {
  if (plan.price > 0) return [money(plan.price, plan.currency, true), plan.type === "one-time" ? "once" : cycle(plan)];
  if (plan.creditsPerUnit > 0 && plan.type === "usage-based") return [worth(plan.creditsPerUnit), `/ ${one(plan.measures)}`];
  return ["Free", ""];
}

/** What a plan gives, a line each. */
export function gives(plan) {
  const { limit, measures } = plan;
  const noun = CYCLES[plan.billingCycle]?.[0];
  const each = noun && plan.type !== "one-time" ? ` a ${noun}` : "";
  const upTo = plan.isPrepaid || plan.billedAfterwards ? "Up to " : "";
  const units = limit !== undefined ? `${upTo}${number(limit)} ${limit === 1 ? one(measures) : measures}${each}` : null;
  const open = plan.isPrepaid || plan.billedAfterwards ? `Pay only for the ${measures} you use` : `Unlimited ${measures}`;
  const lines = [units ?? open];
  if (plan.isPrepaid) lines.push(`${many(plan.creditsPerUnit, "credit")} a ${one(measures)}, from your balance`);
  if (plan.trialDays > 0) lines.push(`${many(plan.trialDays, "day")} free to begin with`);
  if (plan.rollsOver && limit !== undefined) lines.push(`Unused ${measures} move to the next ${noun}, once`);
  return [...lines, ...features(plan.features)];
}

/** How a plan is billed, `[name, sentence]` each: beyond what is included, renewal and the length of a period. */
export function terms(plan) {
  return [usage(plan), renewal(plan)].filter(Boolean);
}

function usage(plan) {
  const { limit, measures, overage } = plan;
  const noun = CYCLES[plan.billingCycle]?.[0];
  if (plan.billedAfterwards) {
    const free = plan.freeUnits > 0 ? ` The first ${number(plan.freeUnits)} of a ${noun} are free.` : "";
    return ["Usage", `${worth(plan.creditsPerUnit)} for each ${one(measures)}, billed at the end of the ${noun}.${free}`];
  }
  if (limit === undefined) return null;
  const beyond = `Beyond ${number(limit)}`;
  if (overage) return [beyond, `${tiers(overage)}, billed at the end of the ${noun ?? "period"}.`];
  return [beyond, noun && plan.type !== "one-time" ? `Usage stops until the next ${noun}. Nothing more is charged.` : "Usage stops. Nothing more is charged."];
}

function tiers({ tiers: steps, maxUnits }) {
  const said = steps.map(({ creditsPerUnit, upTo }, i) => {
    const reach = upTo === undefined ? "" : i === 0 ? ` for the first ${number(upTo)}` : ` up to ${number(upTo)}`;
    return `${i === 0 ? "" : "then "}${creditsPerUnit === 0 ? "free" : `${worth(creditsPerUnit)} each`}${reach}`;
  });
  return said.join(", ") + (maxUnits === undefined ? "" : `; at most ${number(maxUnits)} more`);
}

function renewal(plan) {
  const ends = plan.accessExpiryDays > 0 ? `for ${many(plan.accessExpiryDays, "day")}` : null;
  if (plan.type === "one-time") return ["Access", ends ? `You pay once and have it ${ends}.` : "You pay once and keep it."];
  if (ends) return ["Access", `You have it ${ends}; then it ends.`];
  if (plan.isPrepaid) return ["Renewal", "None. It stays active, and credits stay until they are used up."];
  const [noun, days] = CYCLES[plan.billingCycle];
  const cost = plan.price > 0 ? ` for ${money(plan.price, plan.currency)}` : "";
  if (plan.calendarPeriods) {
    if (!plan.renews) return ["Renewal", `None. It ends with this calendar ${noun}, UTC.`];
    return ["Renewal", `With each calendar ${noun}, UTC${cost && `,${cost}`}, until you cancel. The first one ends with this ${noun}.`];
  }
  if (!plan.renews) return ["Renewal", `None. It ends after ${many(days, "day")}.`];
  return ["Renewal", `Every ${many(days, "day")}${cost}, until you cancel.`];
}

/** What the seller says of a plan: lines, or names with plain words and numbers. */
function features(said) {
  if (Array.isArray(said)) return said;
  return Object.entries(said ?? {})
    .filter(([, value]) => value === true || typeof value === "number" || (typeof value === "string" && value !== ""))
    .map(([name, value]) => (value === true ? words(name) : `${words(name)}: ${typeof value === "number" ? number(value) : value}`));
}

function words(name) {
  const spaced = name.replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
