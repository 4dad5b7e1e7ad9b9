// A button to hold while one speaks; who cannot hold it taps it before and after.

import { Microphone } from "./microphone.js";
import { ask } from "./requests.js";
import { language } from "./texts.js";

const TAP = 500; // milliseconds that a button is held at least by who means to hold it
const PATIENCE = 25_000; // milliseconds for the server, which may be listening to others
const SAID = { "no-speech": "speech.nothing", "speech-busy": "speech.busy", "too-often": "comment.too-often" };

export class Speech {
  #button; #box; #longest; #microphone = new Microphone(); #state = "idle"; #held = false; #began = 0; #timer = 0;

  /** `box` takes what was understood, and says how it is; `longest`: seconds that may be spoken. */
  constructor(button, box, longest) {
    this.#button = button;
    this.#box = box;
    this.#longest = longest;
    button.hidden = !Microphone.possible;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.#press();
    });
    for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => this.#release());
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!event.repeat) this.#press();
    });
    button.addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault(); // Firefox would click
      this.#release();
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press
    // What speaks for somebody who sees nothing clicks, and neither presses nor releases.
    button.addEventListener("click", (event) => {
      if (event.detail === 0 && event.pointerType === "") this.#press();
    });
    addEventListener("pagehide", () => this.#microphone.close());
  }

  #press() {
    this.#held = true;
    if (this.#state === "listening") this.#end();
    else if (this.#state === "idle") this.#start();
  }

  #release() {
    if (!this.#held) return;
    this.#held = false;
    if (this.#state === "listening" && performance.now() - this.#began >= TAP) this.#end();
  }

  async #start() {
    this.#become("opening");
    this.#box.tell("speech.opening");
    try {
      await this.#microphone.open();
    } catch {
      this.#become("idle");
      this.#box.tell("speech.refused");
      return;
    }
    this.#began = performance.now();
    this.#become("listening");
    this.#box.tell("speech.listening");
    this.#timer = setTimeout(() => this.#end(), 1000 * this.#longest - 200);
  }

  async #end() {
    clearTimeout(this.#timer);
    this.#become("writing");
    this.#box.tell("speech.writing");
    const sound = await this.#microphone.close();
    const { data, error, wait } = await ask("POST", `/api/speech?language=${language()}`, sound, PATIENCE);
    this.#become("idle");
    if (data?.text !== undefined) this.#box.put(data.text);
    else this.#box.tell(SAID[error] ?? "comment.failed", wait);
  }

  #become(state) {
    this.#state = state;
    this.#button.setAttribute("aria-pressed", state === "opening" || state === "listening");
    this.#button.disabled = state === "writing";
  }
}
