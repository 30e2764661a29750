/**
 * Amounts, exact: decimal texts from the server, added and compared as whole billionths.
 * Only pixels and percentages may be rounded.
 */

const PLACES = 9;

/** Whole billionths of a decimal text; 0 for null. */
export function billionths(text) {
  if (text === null || text === undefined) return 0n;
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const value = BigInt(whole + fraction.padEnd(PLACES, "0"));
  return sign ? -value : value;
}

/** The decimal text of whole billionths. */
export function decimal(value) {
  const digits = (value < 0n ? -value : value).toString().padStart(PLACES + 1, "0");
  const fraction = digits.slice(-PLACES).replace(/0+$/, "");
  return (value < 0n ? "-" : "") + digits.slice(0, -PLACES) + (fraction && "." + fraction);
}

/** The exact sum of decimal texts. */
export const sum = (texts) => decimal(texts.reduce((total, text) => total + billionths(text), 0n));

/** A decimal text for people: every digit, the whole part in groups of three. */
export function exact(text) {
  if (text === null || text === undefined) return "–";
  const [whole, fraction] = String(text).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** How `now` compares with `before`, which is not 0: `{ direction, text }`. */
export function change(now, before) {
  const [after, earlier] = [billionths(now), billionths(before)];
  const difference = after - earlier;
  const thousandths = ((difference < 0n ? -difference : difference) * 2000n + earlier) / (earlier * 2n);
  if (thousandths === 0n) return { direction: "same", text: difference === 0n ? "the same" : "±0.0 %" };
  const percent = thousandths >= 1000n ? exact((thousandths / 10n).toString()) : `${thousandths / 10n}.${thousandths % 10n}`;
  return difference < 0n ? { direction: "down", text: `−${percent} %` } : { direction: "up", text: `+${percent} %` };
}

/** How much of `whole` a part is, from 0 to 1. Rounded: for lengths. */
export function share(part, whole) {
  const all = billionths(whole);
  return all === 0n ? 0 : Number((billionths(part) * 10000n) / all) / 10000;
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A number on an axis. Rounded. */
export const compact = (number) => (number !== 0 && Math.abs(number) < 1 ? String(Number(number.toPrecision(2))) : short.format(number));

/** "1 event", "2,000 events". */
export const counted = (text, noun) => `${exact(text)} ${noun}${text === "1" ? "" : "s"}`;
