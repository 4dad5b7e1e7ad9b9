// The microphone: open while one visitor speaks once, and closed after. Each turn has one of its own.

import { address } from "../requests.js";

export const RATE = 16_000; // samples a second that the server reads
const OPENING = 5000; // milliseconds in which the device must begin, once the visitor has lent it

export class Microphone {
  #stream = null; #context = null; #recorder = null; #pieces = []; #closed = false;

  /** Whether this browser lends this page a microphone, which it does over https and on this computer alone. */
  static async possible() {
    if (!globalThis.AudioWorkletNode || !navigator.mediaDevices?.getUserMedia) return false;
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    return devices.some(({ kind }) => kind === "audioinput");
  }

  /** Opens it; throws where the visitor or the device refuses, or it was closed meanwhile. */
  async open() {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    this.#stream = stream;
    if (this.#closed) {
      this.#letGo();
      throw new Error("closed");
    }
    try {
      await Promise.race([this.#record(stream), new Promise((_, late) => setTimeout(late, OPENING))]);
      if (this.#closed) throw new Error("closed");
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /** Closes it and gives what it has heard: an ArrayBuffer of 16-bit samples, 16,000 a second, little-endian. */
  async close() {
    const pieces = this.#pieces;
    const rate = this.#context?.sampleRate ?? RATE;
    this.cancel();
    return sixteenBits(await resampled(pieces, rate));
  }

  /** Closes it and forgets what it has heard; at any time, and as often as one likes. */
  cancel() {
    this.#closed = true;
    this.#pieces = [];
    this.#letGo();
  }

  #letGo() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#recorder !== null) this.#recorder.port.onmessage = null;
    this.#context?.close().catch(() => {});
    this.#stream = this.#context = this.#recorder = null;
  }

  async #record(stream) {
    // What is recorded goes to no loudspeaker: another program may hold the device.
    const context = new AudioContext({ sinkId: { type: "none" } });
    this.#context = context;
    await context.audioWorklet.addModule(address("/static/js/speech/recorder-worklet.js"));
    if (this.#closed) return;
    const recorder = new AudioWorkletNode(context, "recorder", {
      numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
    });
    this.#recorder = recorder;
    const pieces = this.#pieces;
    recorder.port.onmessage = ({ data }) => pieces.push(data);
    context.createMediaStreamSource(stream).connect(recorder);
    await context.resume();
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
