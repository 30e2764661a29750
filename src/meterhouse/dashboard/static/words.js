/** Plans, prices, states and meters in words. Every number in an answer is a text here. */

import { exact } from "./numbers.js";

const CYCLES = { weekly: ["week", "7 days"], monthly: ["month", "30 days"], quarterly: ["quarter", "90 days"], yearly: ["year", "365 days"], custom: ["month", "30 days"] };

export const TYPES = { recurring: "Recurring", "usage-based": "Usage-based", hybrid: "Hybrid", "one-time": "One-time" };

export const STATUSES = {
  pending: "Pending", active: "Active", trialing: "In trial", past_due: "Past due",
  cancelled: "Cancelled", expired: "Expired", suspended: "Suspended", refunded: "Refunded",
};

export const MOVES = { USAGE: "Usage", TOPUP: "Top-up", GRANT: "Grant", REFUND: "Refund", ADJUSTMENT: "Adjustment" };

const AGGREGATIONS = {
  count: "Counts events", sum: "Adds units", max: "The most units", min: "The fewest units",
  avg: "Units on average", unique: "Counts customers", latest: "The latest units",
};

/** How a meter counts. One meter event may stand for many uses. */
export const howCounted = ({ kind, aggregation }) => (kind === "meter" && aggregation === "count" ? "Counts uses" : AGGREGATIONS[aggregation]);

/** An amount in minor units, exact: "$19.00". */
export function money(minor, currency) {
  const writer = new Intl.NumberFormat("en", { style: "currency", currency });
  const places = writer.resolvedOptions().maximumFractionDigits;
  const digits = minor.padStart(places + 1, "0");
  return writer.format(places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`);
}

const many = (text, one, more = `${one}s`) => `${exact(text)} ${text === "1" ? one : more}`;
const some = (text) => text !== undefined && text !== null && text !== "0";
const perCycle = (plan) => (plan.billingCycle ? `a ${CYCLES[plan.billingCycle][0]}` : "in all");

/** What having the plan costs. */
export function priceOf(plan) {
  if (plan.type === "usage-based") {
    if (!some(plan.creditsPerUnit)) return "Free";
    return `${many(plan.creditsPerUnit, "credit")} a unit`;
  }
  const price = some(plan.basePrice) ? plan.basePrice : plan.price;
  if (!some(price)) return "Free";
  return `${money(price, plan.currency)} ${plan.type === "one-time" ? "once" : perCycle(plan)}`;
}

/** Everything else the plan says, a sentence each. */
export function termsOf(plan) {
  return [limit(plan), payment(plan), ...overage(plan), ...once(plan), periods(plan), otherPrices(plan)].filter(Boolean);
}

function limit(plan) {
  const units = some(plan.limit) ? plan.limit : !plan.requiresPayment && some(plan.freeUnits) ? plan.freeUnits : null;
  const free = some(plan.freeUnits) && plan.requiresPayment ? `, the first ${exact(plan.freeUnits)} free` : "";
  if (units === null) return `Any number of ${plan.measures}${free}`;
  const kept = plan.rolloverUnusedUnits ? "; what is left of them rolls over once" : "";
  return `${exact(units)} ${plan.measures} ${plan.type === "one-time" ? "in all" : perCycle(plan)}${free}${kept}`;
}

function payment(plan) {
  if (plan.type !== "usage-based" || !some(plan.creditsPerUnit)) return null;
  return plan.billingModel === "post-paid" ? "Billed when a period ends" : "Debited from credits with each use";
}

function overage({ type, overagePolicy: policy, usageTiers = [], creditsPerUnit }) {
  if (type !== "hybrid") return [];
  if (!policy?.allowOverage) return ["Nothing beyond"];
  const most = policy.maxOverage === undefined ? "Then any number more" : `Then up to ${exact(policy.maxOverage)} more`;
  if (usageTiers.length > 0) return [`${most}, by tiers: ${usageTiers.map(tier).join(", ")}`];
  return [`${most}, at ${many(policy.overageRate ?? creditsPerUnit ?? "0", "credit")} each`];
}

const tier = ({ maxUsage, creditsPerUnit }) => `${many(creditsPerUnit, "credit")} each ${maxUsage === undefined ? "beyond" : `to ${exact(maxUsage)}`}`;

function once(plan) {
  return [
    some(plan.trialDays) && `${many(plan.trialDays, "day")} of trial`,
    some(plan.setupFee) && `${money(plan.setupFee, plan.currency)} once to set it up`,
    some(plan.accessExpiryDays) && `Access for ${many(plan.accessExpiryDays, "day")}`,
    plan.type !== "one-time" && !plan.autoRenew && "Does not renew",
  ];
}

function periods({ type, billingCycle, calendarPeriods }) {
  if (type === "one-time" || !billingCycle) return null;
  const [name, days] = CYCLES[billingCycle];
  return calendarPeriods ? `Periods are calendar ${name}s, UTC` : `A ${name} is ${days} from the purchase`;
}

function otherPrices({ pricingOptions = [], type }) {
  const others = pricingOptions.filter((each) => !each.default && type !== "usage-based");
  const said = others.map((each) => money(each.basePrice ?? each.price, each.currency));
  return said.length > 0 ? `Or ${said.join(", ")}` : null;
}
