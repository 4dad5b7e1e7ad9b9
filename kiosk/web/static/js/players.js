// Two ways to play the queue. Browsers give the audio thread to pages over https and on this computer alone; phones on
// plain http get the same queue on the page's own thread.

import { Fifo } from "./fifo.js";
import { address } from "./requests.js";

const BLOCK = 2048; // samples
const AHEAD = 0.25; // seconds that are scheduled

/** A player for sound of `rate` (Hz) and `channels`; `report` is called about ten times a second with the queue's status. */
export async function createPlayer(context, rate, channels, report) {
  if (!context.audioWorklet) return new ScheduledPlayer(context, rate, channels, report);
  await context.audioWorklet.addModule(address("/static/js/player-worklet.js"));
  return new WorkletPlayer(context, rate, channels, report);
}

class WorkletPlayer {
  #node;

  constructor(context, rate, channels, report) {
    const options = { numberOfInputs: 0, outputChannelCount: [channels], processorOptions: { rate, channels } };
    this.#node = new AudioWorkletNode(context, "player", options);
    this.#node.port.onmessage = ({ data }) => report(data);
    this.#node.connect(context.destination);
  }

  push(piece) {
    this.#node.port.postMessage(piece, [piece]);
  }

  close() {
    this.#node.disconnect();
  }
}

class ScheduledPlayer {
  #context; #channels; #fifo; #report; #timer; #frame = 0;

  constructor(context, rate, channels, report) {
    this.#context = context;
    this.#channels = channels;
    this.#fifo = new Fifo(rate, context.sampleRate, channels);
    this.#report = report;
    this.#timer = setInterval(() => this.#schedule(), 100);
  }

  push(piece) {
    this.#fifo.push(piece);
    this.#schedule(); // messages come in time even where timers of a page in the background do not
  }

  close() {
    clearInterval(this.#timer);
  }

  #schedule() {
    const { currentTime, sampleRate } = this.#context;
    // After a page was held up there is nothing to catch up with: it goes on from now.
    this.#frame = Math.max(this.#frame, Math.ceil((currentTime + 0.02) * sampleRate));
    while (this.#frame < (currentTime + AHEAD) * sampleRate) {
      const buffer = this.#context.createBuffer(this.#channels, BLOCK, sampleRate);
      this.#fifo.pull(Array.from({ length: this.#channels }, (_, channel) => buffer.getChannelData(channel)));
      const source = this.#context.createBufferSource();
      source.buffer = buffer;
      source.connect(this.#context.destination);
      source.start(this.#frame / sampleRate);
      this.#frame += BLOCK;
    }
    this.#report(this.#fifo.status);
  }
}
