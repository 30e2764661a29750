/** Which page the address names after its `#`, as `#/customers/cus_ada?credits=…`. */

const PAGES = ["overview", "customers", "meters", "plans"];

/** The place a hash names; the overview for any that names none. asked: what stands after `?`. */
export function placeOf(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [page, ref = null, ...more] = path.split("/").map(decoded);
  if (!PAGES.includes(page) || more.length > 0) return { page: "overview", ref: null, asked: {} };
  return { page, ref: ref || null, asked: Object.fromEntries(new URLSearchParams(query)) };
}

/** The hash of a place; what is null or empty in `asked` is left out. */
export function hashOf(page, ref = null, asked = {}) {
  const said = Object.entries(asked).filter(([, value]) => value !== null && value !== "");
  const query = said.length > 0 ? `?${new URLSearchParams(said)}` : "";
  return `#/${[page, ref].filter(Boolean).map(encodeURIComponent).join("/")}${query}`;
}

/** Whether two places are the same page, whatever is asked of it. */
export const samePage = (one, other) => one.page === other.page && one.ref === other.ref;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone %
  }
}
