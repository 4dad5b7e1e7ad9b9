// The feeling as a point that moves on the plane of valence (right is pleasant) and arousal (up is lively).

import { css, feelingColour } from "../colours.js";
import { text } from "../texts.js";

const SVG = "http://www.w3.org/2000/svg";
const GLIDE = 2200; // milliseconds from one feeling to the next
const TRAIL = 48;
const STEP = 0.02; // least way between two points of the trail

export class Plane {
  #picture; #point; #trail; #from = null; #now = null; #to = null; #began = 0; #frame = 0; #left = [];
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(picture) {
    this.#picture = picture;
    this.#point = picture.querySelector("#point");
    this.#trail = picture.querySelector("#trail");
  }

  /** Lets the point glide to a feeling {valence, arousal}. */
  moveTo(felt) {
    const target = [clipped(felt.valence), clipped(felt.arousal)];
    if (this.#to !== null && target[0] === this.#to[0] && target[1] === this.#to[1]) return;
    this.#to = target;
    // Once and not on the way: the light around the artwork is much to paint.
    document.documentElement.style.setProperty("--feeling", css(feelingColour(...target)));
    if (this.#now === null || this.#still.matches) {
      this.#left = [];
      this.#place(target);
      return;
    }
    this.#from = this.#now;
    this.#began = performance.now();
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame((time) => this.#glide(time));
  }

  /** Says in words where the point is. */
  describe(word) {
    const [valence, arousal] = this.#to.map((value) => Math.round(100 * value));
    this.#picture.setAttribute("aria-label", text("feeling.plane", { word, valence, arousal }));
  }

  #glide(time) {
    const share = Math.max(0, Math.min(1, (time - this.#began) / GLIDE));
    const eased = share * share * (3 - 2 * share);
    this.#place(this.#from.map((value, axis) => value + (this.#to[axis] - value) * eased));
    if (share < 1) this.#frame = requestAnimationFrame((next) => this.#glide(next));
  }

  #place(where) {
    const last = this.#left.at(-1);
    if (!last || Math.hypot(where[0] - last[0], where[1] - last[1]) > STEP) this.#left.push(where);
    if (this.#left.length > TRAIL) this.#left.shift();
    this.#now = where;
    this.#point.setAttribute("transform", `translate(${where[0]} ${-where[1]})`);
    this.#point.removeAttribute("hidden");
    this.#drawTrail();
  }

  #drawTrail() {
    const lines = this.#left.slice(1).map((to, index) => {
      const from = this.#left[index];
      const line = document.createElementNS(SVG, "line");
      const ends = { x1: from[0], y1: -from[1], x2: to[0], y2: -to[1] };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
      line.setAttribute("stroke", css(feelingColour(...to), 0.75 * ((index + 1) / this.#left.length) ** 2));
      return line;
    });
    this.#trail.replaceChildren(...lines);
  }
}

function clipped(value) {
  return Math.max(-1, Math.min(1, value));
}
