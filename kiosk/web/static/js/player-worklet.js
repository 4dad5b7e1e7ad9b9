// Runs on the device's audio thread: plays what the page hands over.

import { Fifo } from "./fifo.js";

const REPORT = 0.1; // seconds between two reports to the page

class Player extends AudioWorkletProcessor {
  #fifo; #reported = 0;

  constructor(options) {
    super();
    this.#fifo = new Fifo(options.processorOptions.rate, sampleRate, options.processorOptions.channels);
    this.port.onmessage = ({ data }) => this.#fifo.push(data);
  }

  process(_, [output]) {
    this.#fifo.pull(output);
    if (currentTime - this.#reported >= REPORT) {
      this.#reported = currentTime;
      this.port.postMessage(this.#fifo.status);
    }
    return true;
  }
}

registerProcessor("player", Player);
