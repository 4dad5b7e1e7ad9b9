// The exhibit's own screen greets in several languages, one after the other, until somebody uses it.

import { language, showLanguage } from "./texts.js";

export const SIGNS = ["pointerdown", "keydown", "input", "click"]; // of somebody who uses the page

export class Rotation {
  #languages; #pause; #select; #shown; #timer = 0;

  /** `languages`: in their order; `seconds`: that each is shown; `select`, `shown`: as `showLanguage` takes them. */
  constructor(languages, seconds, select, shown) {
    this.#languages = languages;
    this.#pause = 1000 * seconds;
    this.#select = select;
    this.#shown = shown;
    for (const sign of SIGNS) addEventListener(sign, () => this.stop(), { passive: true });
  }

  /** Goes on from the language that is shown now. */
  start() {
    this.stop();
    if (this.#languages.length > 1) this.#timer = setInterval(() => this.#turn(), this.#pause);
  }

  /** Stays with the language that is shown now: somebody reads it. */
  stop() {
    clearInterval(this.#timer);
  }

  #turn() {
    const next = this.#languages[(this.#languages.indexOf(language()) + 1) % this.#languages.length];
    showLanguage(this.#select, next, this.#shown);
  }
}
