/** How money, plans and times are said. Amounts are minor units of their currency. */

const NOUNS = { weekly: "week", monthly: "month", quarterly: "quarter", yearly: "year", custom: "period" };
const CREDITS_PER_DOLLAR = 10_000;

/** An amount of minor units, as people write it. A round one without its zeros where `short`. */
export function money(minor, currency, short = false) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  const major = minor / 10 ** digits;
  if (!short || !Number.isInteger(major)) return format.format(major);
  return new Intl.NumberFormat("en", { style: "currency", currency, maximumFractionDigits: 0 }).format(major);
}

export const number = (value) => new Intl.NumberFormat("en", { maximumFractionDigits: 9 }).format(value);

/** What credits are worth, in dollars. Fractions of a cent are shown. */
export const worth = (credits) =>
  new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 4 }).format(credits / CREDITS_PER_DOLLAR);

export const day = (text) => new Intl.DateTimeFormat("en", { dateStyle: "long" }).format(new Date(text));

/** "/ month"; nothing where a plan has no cycle. */
export const cycle = ({ billingCycle, type }) => (billingCycle && type !== "one-time" ? `/ ${NOUNS[billingCycle]}` : "");

/** "requests" is counted one request at a time. */
const one = (measures) => measures.replace(/s$/, "");

/** A plan's price in one line: `[amount, what it is for]`. */
export function price(plan) {
  if (plan.price > 0) return [money(plan.price, plan.currency, true), plan.type === "one-time" ? "once" : cycle(plan)];
  if (plan.creditsPerUnit > 0 && plan.type === "usage-based") return [worth(plan.creditsPerUnit), `/ ${one(plan.measures)}`];
  return ["Free", ""];
}

/** What a plan gives, a sentence each. */
export function gives(plan) {
  const units = plan.limit || (plan.requiresPayment ? 0 : (plan.freeUnits ?? 0));
  const period = NOUNS[plan.billingCycle];
  const each = period && plan.type !== "one-time" ? ` a ${period}` : "";
  const lines = [units ? `${number(units)} ${plan.measures}${each}` : plan.isPrepaid ? `Pay only for the ${plan.measures} you use` : `Unlimited ${plan.measures}`];
  if (plan.creditsPerUnit > 0 && plan.isPrepaid) lines.push(`${number(plan.creditsPerUnit)} credits a ${one(plan.measures)}, from your balance`);
  if (plan.trialDays > 0) lines.push(`${number(plan.trialDays)} days free to begin with`);
  if (plan.accessExpiryDays > 0) lines.push(`Access for ${number(plan.accessExpiryDays)} days`);
  return [...lines, ...features(plan.features)];
}

/** What the seller says of a plan, where it is a plain word or number. */
function features(said) {
  return Object.entries(said ?? {})
    .filter(([, value]) => value === true || typeof value === "number" || (typeof value === "string" && value !== ""))
    .map(([name, value]) => (value === true ? words(name) : `${words(name)}: ${typeof value === "number" ? number(value) : value}`));
}

function words(name) {
  const spaced = name.replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
