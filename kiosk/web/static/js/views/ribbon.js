// The sound of the last seconds as a picture that runs from right to left: one column for each mel frame, each in the
// colour of what was felt then.

const SECONDS = 9;
const LATENESS = 0.16; // seconds that the picture runs behind the newest column, so that it never stops
const QUIETEST = 0.34; // share of the scale that stays dark
const LOUDEST = 0.86;
const FRAME = 30; // milliseconds that each picture stays at least: the computer makes music meanwhile
const HALO = 0.28; // share of the canvas that mirrors the rest

export class Ribbon {
  #canvas; #context; #strip; #stripContext; #bands; #rate; #columns; #column;
  #first = null; #newest = -1; #head = 0; #time = 0; #colour = [217, 178, 124]; #heard = null;
  #moving = false; #frame = 0;

  /** `rate`: columns a second; `bands`: mel bands of a column. */
  constructor(canvas, rate, bands) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#bands = bands;
    this.#rate = rate;
    this.#columns = Math.ceil(SECONDS * rate);
    this.#strip = new OffscreenCanvas(this.#columns * 2, bands); // a ring of columns: twice what is seen
    this.#stripContext = this.#strip.getContext("2d");
    this.#column = this.#stripContext.createImageData(1, bands);
    canvas.width = this.#columns;
    canvas.height = Math.round(bands * (1 + HALO) * 1.5);
    canvas.dataset.newest = "-1";
  }

  /** Colour of the columns to come. */
  set colour(colour) {
    this.#colour = colour;
  }

  /** A function that says which column is heard now on this device, or null to follow the newest one. */
  set heard(heard) {
    this.#heard = heard;
  }

  /** Whether the picture moves. */
  set moving(moving) {
    if (moving === this.#moving) return;
    this.#moving = moving;
    cancelAnimationFrame(this.#frame);
    if (moving) {
      this.#time = performance.now();
      this.#frame = requestAnimationFrame((time) => this.#move(time));
    } else {
      this.#draw();
    }
  }

  /** Takes columns as the server sends them: number of the first one (float64), then a byte for each band of each. */
  add(piece) {
    const first = new DataView(piece).getFloat64(0, true);
    const values = new Uint8Array(piece, 8);
    const count = Math.floor(values.length / this.#bands);
    if (first !== this.#newest + 1 && this.#first !== null) this.#skipTo(first);
    this.#first ??= first;
    for (let index = 0; index < count; index += 1) {
      this.#paint(first + index, values.subarray(index * this.#bands, (index + 1) * this.#bands));
    }
    this.#newest = first + count - 1;
    this.#canvas.dataset.newest = this.#newest;
  }

  // After a gap the columns in between are dark; after a restart everything begins anew.
  #skipTo(first) {
    const width = this.#strip.width;
    if (first < this.#newest || first - this.#newest > width) {
      this.#stripContext.clearRect(0, 0, width, this.#bands);
      this.#head = first;
      return;
    }
    for (let number = this.#newest + 1; number < first; number += 1) {
      this.#stripContext.clearRect(number % width, 0, 1, this.#bands);
    }
  }

  #paint(number, values) {
    const [red, green, blue] = this.#colour;
    const pixels = this.#column.data;
    for (let band = 0; band < this.#bands; band += 1) {
      const share = (values[band] / 255 - QUIETEST) / (LOUDEST - QUIETEST);
      const light = Math.max(0, Math.min(1, share)) ** 1.35;
      const white = Math.max(0, light - 0.7) * 1.6; // the loudest shine
      const place = 4 * (this.#bands - 1 - band);
      pixels[place] = red + (255 - red) * white;
      pixels[place + 1] = green + (255 - green) * white;
      pixels[place + 2] = blue + (255 - blue) * white;
      pixels[place + 3] = 255 * light;
    }
    this.#stripContext.putImageData(this.#column, number % this.#strip.width, 0);
  }

  #move(time) {
    this.#frame = requestAnimationFrame((next) => this.#move(next));
    if (time - this.#time < FRAME) return;
    const passed = Math.min(0.25, (time - this.#time) / 1000);
    this.#time = time;
    const heard = this.#heard?.() ?? null;
    const target = heard ?? this.#newest - LATENESS * this.#rate;
    this.#head += passed * this.#rate;
    const behind = target - this.#head;
    // Small differences are evened out unseen, large ones at once.
    this.#head = Math.abs(behind) > this.#rate ? target : this.#head + behind * Math.min(1, 2 * passed);
    this.#head = Math.min(this.#head, this.#newest);
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#canvas;
    const line = height / (1 + HALO);
    this.#context.clearRect(0, 0, width, height);
    if (this.#first === null) return;
    const end = this.#moving ? this.#head : this.#newest;
    this.#copy(end, 0, line);
    this.#context.save();
    this.#context.globalAlpha = 0.22;
    this.#context.translate(0, height + line * 0.02);
    this.#context.scale(1, -1);
    this.#copy(end, 0, height - line);
    this.#context.restore();
  }

  // The columns before `end`, so that it stands at the right edge.
  #copy(end, top, height) {
    const { width } = this.#canvas;
    const ring = this.#strip.width;
    const begin = Math.floor(end) - width;
    const shift = Math.floor(end) - end;
    let column = 0;
    while (column <= width) {
      const from = (((begin + column) % ring) + ring) % ring;
      const count = Math.min(ring - from, width + 1 - column);
      this.#context.drawImage(this.#strip, from, 0, count, this.#bands, column + shift, top, count, height);
      column += count;
    }
  }
}
