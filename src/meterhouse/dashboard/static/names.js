/** Customers' names. The newest thousand are asked for together, others one by one, each once. */

import * as api from "./api.js";

const TOGETHER = 1_000;

export class Names {
  #known = new Map();
  #asked = new Set();
  #environment = null;

  /** The name of a customer; null while it is not known, and for none. */
  of = (ref) => this.#known.get(ref) || null;

  /** Learn the names of these refs where they are not known. */
  async learn(refs, environment, signal) {
    if (this.#environment !== environment) {
      this.#known.clear();
      this.#asked.clear();
      this.#environment = environment;
      this.#keep(await api.get("customers", { environment, limit: TOGETHER }, signal));
    }
    const missing = refs.filter((ref) => ref && !this.#known.has(ref) && !this.#asked.has(ref));
    await Promise.all(
      missing.map(async (ref) => {
        this.#asked.add(ref);
        this.#keep(await api.get("customers", { environment, search: ref, limit: 10 }, signal));
      }),
    );
  }

  #keep({ customers }) {
    for (const { reference, name } of customers) this.#known.set(reference, name);
  }
}
