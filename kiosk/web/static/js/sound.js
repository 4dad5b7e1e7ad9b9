// The sound on this device: begins and ends with a tap.

import { Connection } from "./connection.js";
import { createPlayer } from "./players.js";
import { text } from "./texts.js";

export class Sound {
  #button; #line; #rate; #channels; #context = null; #player = null; #connection = null; #status = null; #told = null;

  /** `button` begins and ends it, `line` says how it is, `rate` (Hz) and `channels` are those of the sound. */
  constructor(button, line, rate, channels) {
    this.#button = button;
    this.#line = line;
    this.#rate = rate;
    this.#channels = channels;
    button.addEventListener("click", () => (this.#context === null ? this.#start() : this.#stop()));
  }

  /** Position in the server's ring that is heard now, or null where nothing is. */
  get position() {
    return this.#status?.playing ? this.#status.position : null;
  }

  /** Says everything again, in the language that is shown now. */
  refresh() {
    this.#button.textContent = text(this.#context === null ? "sound.start" : "sound.stop");
    this.#button.setAttribute("aria-pressed", this.#context !== null);
    this.#line.textContent = this.#told === null ? "" : text(this.#told);
  }

  async #start() {
    try {
      this.#context = new AudioContext({ latencyHint: "playback" });
      this.#tell("sound.waiting");
      const context = this.#context;
      await context.resume();
      const player = await createPlayer(context, this.#rate, this.#channels, (status) => this.#hear(status));
      if (context !== this.#context) {
        player.close(); // stopped meanwhile
        return;
      }
      this.#player = player;
    } catch {
      await this.#stop();
      this.#tell("sound.failed");
      return;
    }
    this.#connection = new Connection("/sound");
    this.#connection.addEventListener("piece", ({ detail }) => this.#player?.push(detail));
    this.#connection.addEventListener("full", () => this.#tell("connection.full"));
    this.#connection.open();
  }

  async #stop() {
    const context = this.#context;
    this.#connection?.close();
    this.#player?.close();
    this.#context = this.#connection = this.#player = this.#status = null;
    this.#tell(null);
    await context?.close().catch(() => {});
  }

  #hear(status) {
    this.#status = status;
    if (this.#player === null && this.#connection === null) return;
    this.#button.dataset.underruns = status.underruns;
    this.#button.dataset.cushion = status.cushion;
    if (status.playing) this.#tell("sound.playing");
    else if (this.#told === "sound.playing") this.#tell("sound.waiting");
  }

  #tell(key) {
    this.#told = key;
    this.refresh();
  }
}
