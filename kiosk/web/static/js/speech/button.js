// A button to hold while one speaks; who cannot hold it taps it before and after.

import { Microphone, RATE } from "./microphone.js";
import { ask } from "../requests.js";
import { language } from "../texts.js";

const TAP = 500; // milliseconds that a button is held at least by who means to hold it
const PATIENCE = 25_000; // milliseconds for the server, which may be listening to others
const SECOND = 2 * RATE; // bytes of a second of speech
const SHORTEST = 0.3 * SECOND; // less is a slip of the finger
const SAID = {
  "no-speech": "speech.nothing", "speech-busy": "speech.busy", "too-often": "speech.too-often", resting: "comment.resting",
};

export class Speech {
  #button; #box; #longest; #microphone = null; #state = "idle"; #turn = 0; #held = false; #pressed = 0; #timer = 0;

  /** `box` takes what was understood, and says how it is; `longest`: seconds that may be spoken. */
  constructor(button, box, longest) {
    this.#button = button;
    this.#box = box;
    this.#longest = longest;
    Microphone.possible().then((possible) => {
      button.hidden = !possible;
    });
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      button.setPointerCapture(event.pointerId);
      this.#press();
    });
    for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, () => this.#release());
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
      if (event.detail !== 0 || event.pointerType) return;
      this.#press();
      this.#held = false;
    });
    addEventListener("pagehide", () => this.cancel());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.cancel();
    });
  }

  /** Closes the microphone and forgets what was said, whatever was going on. */
  cancel() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#microphone?.cancel();
    this.#microphone = null;
    if (this.#state === "idle") return;
    this.#become("idle");
    this.#box.quiet();
  }

  #press() {
    this.#held = true;
    this.#pressed = performance.now();
    if (this.#state === "listening") this.#end();
    else if (this.#state === "opening") this.cancel();
    else if (this.#state === "idle") this.#start();
  }

  #release() {
    if (!this.#held) return;
    this.#held = false;
    if (performance.now() - this.#pressed < TAP) return;
    if (this.#state === "listening") this.#end();
    else if (this.#state === "opening") this.cancel(); // nobody holds it any more
  }

  async #start() {
    this.#turn += 1;
    const turn = this.#turn;
    const microphone = new Microphone();
    this.#microphone = microphone;
    this.#become("opening");
    this.#box.tell("speech.opening");
    try {
      await microphone.open();
    } catch {
      if (turn !== this.#turn) return;
      this.#become("idle");
      this.#box.tell("speech.refused");
      return;
    }
    if (turn !== this.#turn) return;
    this.#become("listening");
    this.#box.tell("speech.listening");
    this.#timer = setTimeout(() => this.#end(), 1000 * this.#longest);
  }

  async #end() {
    const turn = this.#turn;
    clearTimeout(this.#timer);
    this.#become("writing");
    this.#box.tell("speech.writing");
    const answer = await this.#written();
    if (turn !== this.#turn) return;
    this.#become("idle");
    if (answer.data?.text !== undefined) this.#box.put(answer.data.text);
    else this.#box.tell(SAID[answer.error] ?? "comment.failed", answer.wait);
  }

  // The server's answer to what the microphone has heard; never throws.
  async #written() {
    try {
      const sound = (await this.#microphone.close()).slice(0, this.#longest * SECOND); // a timer may come late
      if (sound.byteLength < SHORTEST) return { data: null, error: "no-speech", wait: 0 };
      return await ask("POST", `/api/speech?language=${language()}`, sound, PATIENCE);
    } catch {
      return { data: null, error: "failed", wait: 0 };
    }
  }

  #become(state) {
    this.#state = state;
    this.#button.dataset.state = state;
    this.#button.setAttribute("aria-pressed", state === "opening" || state === "listening");
    this.#button.setAttribute("aria-disabled", state === "writing"); // which keeps the focus
  }
}
