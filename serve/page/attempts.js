// Tries at what a form asks for: one at a time, and what goes wrong is said where it belongs.

import { clear, place } from "./problems.js";

export class Attempts {
  /**
   * `form`, the elements `rest` and `status` that tell what has no field of its own, the button
   * `stop`, and the `buttons` that wait meanwhile.
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.underWay = null;
    this.stop.addEventListener("click", () => this.end());
  }

  end() {
    this.underWay?.abort();
  }

  /** Forget what was said and is under way, for another model. */
  reset() {
    this.end();
    this.underWay = null;
    this.busy(false);
    clear(this.form, this.rest);
    this.status.textContent = "";
  }

  /** Try; what is `long` can be stopped, and nothing else be begun meanwhile. */
  async make(work, long = true) {
    this.reset();
    const mine = (this.underWay = new AbortController());
    try {
      this.busy(long);
      await work(mine.signal);
    } catch (error) {
      if (this.underWay !== mine) return;
      this.status.textContent = mine.signal.aborted ? "Stopped." : "";
      this.busy(false);
      place(this.form, this.rest, error);
    } finally {
      if (this.underWay === mine) {
        this.busy(false);
        this.underWay = null;
      }
    }
  }

  busy(is) {
    this.stop.hidden = !is;
    for (const button of this.buttons) button.disabled = is;
  }
}
