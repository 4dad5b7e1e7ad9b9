// The comment box: what visitors write, and how it is answered.

import { characters } from "./characters.js";
import { ask } from "./requests.js";
import { SIGNS } from "./rotation.js";
import { forgetLanguage, language, text, textsOf } from "./texts.js";

const COUNTED = 80; // characters left from which on they are counted
const EXAMPLES = 4;
const IDLE = 90_000; // milliseconds on the exhibit's own screen after which the next visitor is expected
const SPEAKING = ["speech.opening", "speech.listening", "speech.writing"]; // which must be seen while they are true
const ANSWERS = ["comment.heard", "comment.followed", "comment.not-understood", "speech.check", ...SPEAKING]; // no refusals
const UNREADABLE = ["comment", "too-long", "too-large", "form"]; // refusals of what cannot be read, or of too much
const NOTICE = 20_000; // milliseconds to say that one is still there
const MANY = "mul"; // of what understands many languages (ISO 639-2); examples are then in the language of the page

export class CommentBox {
  #form; #words; #button; #answer; #left; #examples; #understood; #longest; #understoodTexts = null;
  #received = null; #told = null; #timer = 0; #counting = 0;

  /** `understood`: language that the music understands best (BCP 47), or `mul`; `longest`: most characters of a comment, as a person counts them. */
  constructor(form, understood, longest) {
    this.#form = form;
    this.#understood = understood;
    this.#longest = longest;
    this.#words = form.querySelector("#words");
    this.#button = form.querySelector("button[type=submit]");
    this.#answer = form.querySelector("#answer");
    this.#left = form.querySelector("#left");
    this.#examples = form.querySelector("#examples");
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#words.addEventListener("input", () => this.#count());
    this.#words.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
  }

  /** Shows examples and answers in the language that is shown now. */
  async refresh() {
    this.#understoodTexts ??= (await textsOf(this.#understood)) ?? {};
    const items = Array.from({ length: EXAMPLES }, (_, index) => this.#example(`comment.example.${index + 1}`));
    this.#examples.replaceChildren(...items);
    const line = this.#form.querySelector("#comment-language");
    line.textContent = this.#understood === MANY ? "" : text("comment.language", { language: this.#nameOfUnderstood() });
    if (this.#told !== null) this.#tell(...this.#told);
    this.#count();
  }

  /** Puts in what was understood of what a visitor said, after what is there already; they may change it. */
  put(words) {
    this.#words.value = [this.#words.value.trim(), words].filter((part) => part !== "").join(" ");
    this.#words.dispatchEvent(new Event("input", { bubbles: true })); // somebody is here
    this.#tell("speech.check");
  }

  /** Says how it is with what a visitor says; `wait` are the seconds of `speech.too-often`. */
  tell(key, wait = 0) {
    if (key === "speech.too-often") this.#countDown(key, wait);
    else this.#tell(key);
  }

  /** Says nothing more. */
  quiet() {
    clearInterval(this.#counting);
    this.#told = null;
    this.#answer.textContent = "";
  }

  /** A feeling {cause, received, understood} has come: is it the answer to what was written here? */
  answered(felt) {
    if (felt.cause !== "comment" || this.#received === null || felt.received !== this.#received) return;
    this.#received = null;
    if (SPEAKING.includes(this.#told?.[0])) return;
    this.#tell(felt.understood ? "comment.followed" : "comment.not-understood");
  }

  /** Clears what was left behind, on a screen that many visitors share; asks before. `close` clears what is not here. */
  clearWhenIdle(languageSwitch, refresh, close) {
    const question = this.#form.querySelector("#idle");
    const reset = () => {
      question.hidden = true;
      this.#words.value = "";
      this.quiet();
      this.#count();
      close();
      forgetLanguage(languageSwitch, refresh);
    };
    const wait = () => {
      clearTimeout(this.#timer);
      question.hidden = true;
      this.#timer = setTimeout(() => {
        if (this.#words.value === "") return reset();
        question.hidden = false;
        this.#timer = setTimeout(reset, NOTICE);
        return undefined;
      }, IDLE);
    };
    for (const sign of SIGNS) addEventListener(sign, wait, { passive: true });
    wait();
  }

  #nameOfUnderstood() {
    return new Intl.DisplayNames([language()], { type: "language" }).of(this.#understood);
  }

  // The sentence is shown in the visitor's language; what is filled in is the one that the music understands.
  #example(key) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text(key);
    button.addEventListener("click", () => {
      this.#words.value = this.#understoodTexts[key] ?? text(key);
      this.#words.focus({ preventScroll: true });
      this.quiet();
      this.#count();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#button.disabled) return;
    const comment = this.#words.value.trim();
    if (comment === "") {
      this.#tell("comment.unreadable", { longest: this.#longest });
      this.#words.focus();
      return;
    }
    this.#button.disabled = true;
    const answer = await ask("POST", "/api/comment", { comment });
    this.#button.disabled = false;
    if (answer.status !== 202) {
      this.#refuse(answer);
      return;
    }
    this.#received = answer.data.received;
    this.#words.value = "";
    this.#count();
    this.#tell("comment.heard");
  }

  #refuse({ error, wait }) {
    if (error === "too-often") this.#countDown("comment.too-often", wait);
    else if (error === "piled") this.#tell("comment.piled");
    else if (UNREADABLE.includes(error)) this.#tell("comment.unreadable", { longest: this.#longest });
    else if (error === "resting") this.#tell("comment.resting");
    else this.#tell("comment.failed");
  }

  #countDown(key, seconds) {
    clearInterval(this.#counting);
    const end = performance.now() + 1000 * seconds;
    this.#tell(key, { seconds });
    this.#counting = setInterval(() => {
      if (performance.now() >= end) this.quiet();
    }, 250);
  }

  #count() {
    const left = this.#longest - characters(this.#words.value.trim()); // what would be sent; the server decides
    this.#left.hidden = left > COUNTED;
    this.#left.classList.toggle("over", left < 0);
    this.#left.textContent = left < 0 ? text("comment.over", { count: -left }) : text("comment.left", { count: left });
  }

  #tell(key, values) {
    if (!key.endsWith(".too-often")) clearInterval(this.#counting);
    this.#told = [key, values];
    this.#answer.classList.toggle("refused", !ANSWERS.includes(key));
    this.#answer.textContent = text(key, values);
  }
}
