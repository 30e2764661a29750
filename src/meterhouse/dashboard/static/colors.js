/** A colour for each type of event. A type keeps its own for as long as it is among the most frequent. */

export const OTHER = "other";
const COLORS = ["1", "2", "3", "4", "5", "6", "7"];
let known = new Map();

/** Give these types a colour each: at most seven. */
export function assignColors(types) {
  const kept = new Map([...known].filter(([type]) => types.includes(type)));
  const free = COLORS.filter((color) => ![...kept.values()].includes(color));
  for (const type of types) if (!kept.has(type)) kept.set(type, free.shift());
  known = kept;
}

export const colorOf = (type) => known.get(type) ?? OTHER;
