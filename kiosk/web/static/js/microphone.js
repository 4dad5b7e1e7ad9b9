// The microphone: open while somebody speaks, and closed after.

import { address } from "./requests.js";

const RATE = 16_000; // samples a second that the server reads

export class Microphone {
  #stream = null; #context = null; #pieces = [];

  /** Whether this browser lets this page have a microphone: over https and on this computer alone. */
  static get possible() {
    return Boolean(globalThis.AudioWorkletNode && navigator.mediaDevices?.getUserMedia);
  }

  /** Opens it; throws where the visitor or the device refuses. */
  async open() {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    try {
      this.#context = new AudioContext();
      await this.#context.audioWorklet.addModule(address("/static/js/recorder-worklet.js"));
      const recorder = new AudioWorkletNode(this.#context, "recorder", { numberOfOutputs: 0 });
      recorder.port.onmessage = ({ data }) => this.#pieces.push(data);
      this.#context.createMediaStreamSource(this.#stream).connect(recorder);
      await this.#context.resume();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Closes it and gives what it has heard: an ArrayBuffer of 16-bit samples, 16,000 a second, little-endian. */
  async close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    const rate = this.#context?.sampleRate ?? RATE;
    await this.#context?.close();
    const pieces = this.#pieces;
    this.#stream = this.#context = null;
    this.#pieces = [];
    return sixteenBits(await resampled(pieces, rate));
  }
}

async function resampled(pieces, rate) {
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (count === 0) return new Float32Array(0);
  const context = new OfflineAudioContext(1, Math.ceil((count * RATE) / rate), RATE);
  const buffer = context.createBuffer(1, count, rate);
  let begin = 0;
  for (const piece of pieces) {
    buffer.copyToChannel(piece, 0, begin);
    begin += piece.length;
  }
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

function sixteenBits(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((value, at) => view.setInt16(2 * at, Math.round(32767 * Math.max(-1, Math.min(1, value))), true));
  return view.buffer;
}
