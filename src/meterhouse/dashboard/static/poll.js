/** Asking again and again: never twice at once, never while nobody looks, more slowly when it fails. */

const SHARE = 2; // at most half of the time is spent asking
const SECOND = 1_000;
const LONGEST = 30 * SECOND;

export class Poll {
  #round;
  #failed;
  #abort = new AbortController();
  #wake = () => {};
  #life = null;
  #due = false;
  #every;

  /**
   * round: asks everything once, given a signal. failed: is told the error and when the next try is.
   * every: says how many milliseconds lie between two rounds.
   */
  constructor(round, failed, every) {
    this.#round = round;
    this.#failed = failed;
    this.#every = every;
    document.addEventListener("visibilitychange", () => {
      this.#due ||= !document.hidden;
      this.#wake();
    });
  }

  start() {
    this.stop();
    this.#life = {};
    this.#run(this.#life);
  }

  stop() {
    this.#life = null;
    this.again();
  }

  /** Ask now: what is on its way is for another question. */
  again() {
    this.#due = true;
    this.#abort.abort();
    this.#wake();
  }

  async #run(life) {
    for (let failures = 0; this.#life === life; ) {
      const begun = performance.now();
      const abort = new AbortController();
      this.#due = false;
      this.#abort = abort;
      let wait = 0;
      try {
        await this.#round(abort.signal);
        failures = 0;
        const took = performance.now() - begun;
        wait = Math.max(this.#every() - took, (SHARE - 1) * took);
      } catch (error) {
        if (!abort.signal.aborted) {
          failures += 1;
          wait = Math.max(Math.min(SECOND * 2 ** (failures - 1), LONGEST), (error.retryAfter ?? 0) * SECOND);
          this.#failed(error, Date.now() + wait);
        }
      }
      await this.#rest(life, wait);
    }
  }

  /** Wait until the time is over and somebody looks, or something is due. */
  async #rest(life, wait) {
    const until = performance.now() + wait;
    while (this.#life === life && !this.#due) {
      const left = until - performance.now();
      if (left <= 0 && !document.hidden) return;
      await new Promise((wake) => {
        this.#wake = wake;
        if (left > 0) setTimeout(wake, left);
      });
    }
  }
}
