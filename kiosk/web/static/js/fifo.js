// Buffers the server's sound and resamples it to this device's sample rate and clock.

const CUSHION = 0.2; // seconds that are buffered before playback begins
const LARGEST_CUSHION = 2;
const GROWTH = 1.5; // factor on the cushion after each underrun
const EXCESS = 1; // seconds above the cushion from which on old samples are dropped, for example after the device slept
const CAPACITY = 6; // seconds
const FADE = 0.005; // seconds of the fades at start, stop and gaps between pieces
const TRIM = 0.001; // largest relative change of speed (1.7 cents), to compensate for the difference of the two clocks
const TAPS = 32; // of the resampling filter
const PHASES = 128;

export class Fifo {
  #rate; #outputRate; #channels; #table; #width; #fade;
  #end = 0; // number of samples received
  #place = 0; // position of the next sample to play, fractional, on the same count
  #offset = 0; // add it to get the position in the server's ring
  #next = null; // position at which the next piece should begin; null before the first
  #cushion = CUSHION; #playing = false; #skipping = false; #gain = 0; #filled = CUSHION;
  underruns = 0;

  /** `rate`: of the received sound; `outputRate`: of this device (both Hz); `channels`: of both. */
  constructor(rate, outputRate, channels) {
    this.#rate = rate;
    this.#outputRate = outputRate;
    this.#channels = Array.from({ length: channels }, () => new Float32Array(Math.round(CAPACITY * rate)));
    this.#fade = Math.round(FADE * rate);
    this.#width = Math.ceil((TAPS / 2) * Math.max(1, rate / outputRate));
    this.#table = windowedSinc(this.#width, Math.min(1, outputRate / rate));
  }

  /** {waiting: seconds buffered, cushion: seconds, underruns, position: in the server's ring, playing: boolean}. */
  get status() {
    return {
      waiting: this.#waiting, cushion: this.#cushion, underruns: this.underruns,
      position: this.#place + this.#offset, playing: this.#playing,
    };
  }

  /** Adds a piece in the server's format: position of its first sample (float64), then interleaved 16-bit samples. */
  push(piece) {
    const position = new DataView(piece).getFloat64(0, true);
    const values = new Int16Array(piece, 8);
    const broken = this.#next !== null && position !== this.#next;
    if (broken) this.#fadeOutEnd();
    const count = values.length / this.#channels.length;
    this.#next = position + count;
    this.#offset = position - this.#end;
    this.#channels.forEach((samples, channel) => {
      for (let index = 0; index < count; index += 1) {
        const rising = broken ? Math.min(1, index / this.#fade) : 1;
        const value = values[index * this.#channels.length + channel];
        samples[(this.#end + index) % samples.length] = (value / 32768) * rising;
      }
    });
    this.#end += count;
    if (this.#waiting > CAPACITY - EXCESS) this.#skip(); // nothing was played for a long time, so no fade is needed
    else if (this.#waiting > this.#cushion + EXCESS) this.#skipping = true;
  }

  /** Fills a Float32Array for each channel with the next samples; zeros where none are available. */
  pull(outputs) {
    const length = outputs[0].length;
    if (!this.#playing && this.#waiting >= this.#cushion) this.#playing = true;
    const step = (this.#rate / this.#outputRate) * this.#speed(length / this.#outputRate);
    const slope = 1 / (FADE * this.#outputRate);
    const reserve = this.#width + 1;
    for (let index = 0; index < length; index += 1) {
      const left = this.#end - this.#place - reserve;
      if (this.#playing && left <= this.#fade * this.#gain) this.#starve();
      this.#gain = Math.max(0, Math.min(1, this.#gain + (this.#playing && !this.#skipping ? slope : -slope)));
      if (this.#gain === 0 || left <= 0) {
        if (this.#skipping) this.#skip();
        for (const output of outputs) output[index] = 0;
        continue;
      }
      this.#interpolate(outputs, index);
      this.#place += step;
    }
  }

  get #waiting() {
    return (this.#end - this.#place) / this.#rate;
  }

  #starve() {
    this.#playing = false;
    this.underruns += 1;
    this.#cushion = Math.min(LARGEST_CUSHION, this.#cushion * GROWTH);
    this.#filled = this.#cushion;
  }

  // Drops the oldest samples so that just the cushion remains.
  #skip() {
    this.#place = this.#end - Math.round(this.#cushion * this.#rate);
    this.#gain = 0;
    this.#skipping = false;
    this.#filled = this.#cushion;
  }

  #fadeOutEnd() {
    const count = Math.min(this.#fade, Math.floor(this.#end - this.#place - this.#width));
    for (const samples of this.#channels) {
      for (let index = 1; index <= count; index += 1) {
        samples[(this.#end - index) % samples.length] *= index / (count + 1);
      }
    }
  }

  // Playback speed (about 1) that keeps the buffer near the cushion; averaged over time, since pieces arrive in bursts.
  #speed(seconds) {
    if (!this.#playing) return 1;
    this.#filled += (this.#waiting - this.#filled) * Math.min(1, seconds / 4);
    return 1 + TRIM * Math.max(-1, Math.min(1, (this.#filled - this.#cushion) / this.#cushion - 0.25));
  }

  // Writes the interpolated sample of every channel at the current position to `outputs[channel][index]`.
  #interpolate(outputs, index) {
    const whole = Math.floor(this.#place);
    const phase = (this.#place - whole) * PHASES;
    const row = Math.floor(phase);
    const between = phase - row;
    const taps = 2 * this.#width;
    outputs.forEach((output, channel) => {
      const samples = this.#channels[channel];
      const capacity = samples.length;
      let sum = 0;
      let at = (whole - this.#width + 1 + capacity) % capacity;
      for (let tap = 0, low = row * taps, high = low + taps; tap < taps; tap += 1) {
        sum += samples[at] * (this.#table[low + tap] * (1 - between) + this.#table[high + tap] * between);
        at = at + 1 === capacity ? 0 : at + 1;
      }
      output[index] = this.#gain * sum;
    });
  }
}

// A filter table: PHASES + 1 rows, one for each fraction of a sample, of 2 * width taps that add up to 1 (Hann window).
function windowedSinc(width, cutoff) {
  const taps = 2 * width;
  const table = new Float32Array((PHASES + 1) * taps);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - width + 1 - phase / PHASES;
      const angle = Math.PI * distance * cutoff;
      const hann = Math.abs(distance) < width ? 0.5 + 0.5 * Math.cos((Math.PI * distance) / width) : 0;
      table[phase * taps + tap] = (angle === 0 ? 1 : Math.sin(angle) / angle) * hann;
      sum += table[phase * taps + tap];
    }
    for (let tap = 0; tap < taps; tap += 1) table[phase * taps + tap] /= sum;
  }
  return table;
}
