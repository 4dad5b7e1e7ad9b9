// A soft light on the part of the artwork on which the music dwells: all around it lies in the shade.

import { text } from "../texts.js";

const PLACES = [
  ["upper-left", "upper", "upper-right"],
  ["left", "middle", "right"],
  ["lower-left", "lower", "lower-right"],
];
const REACH = 75; // per cent of a region's side from its middle to where the shade is deepest

export class Gaze {
  #artwork; #shades; #words; #look = null;

  /** `artwork`: the figure with its pictures and shades; `words`: what says the same to those who do not see. */
  constructor(artwork, words) {
    this.#artwork = artwork;
    this.#shades = [...artwork.querySelectorAll(".shade")];
    this.#words = words;
    const sizes = new ResizeObserver(() => this.#lay());
    for (const each of artwork.querySelectorAll("img.work, .hung")) sizes.observe(each);
  }

  /** Lights a region [left, top, width, height] in shares of the picture; null lights the whole. */
  show(look) {
    if (JSON.stringify(look) === JSON.stringify(this.#look)) return;
    this.#look = look;
    this.refresh();
    const [old, fresh] = this.#shades[0].classList.contains("cast") ? this.#shades : [...this.#shades].reverse();
    old.classList.remove("cast");
    if (look === null) return;
    const [left, top, width, height] = look;
    const values = { x: 100 * (left + width / 2), y: 100 * (top + height / 2), rx: REACH * width, ry: REACH * height };
    for (const [name, value] of Object.entries(values)) fresh.style.setProperty(`--${name}`, `${value.toFixed(2)}%`);
    this.#lay();
    fresh.classList.add("cast");
  }

  /** Says in words where the music looks. */
  refresh() {
    const picture = this.#artwork.querySelector("img.work.shown");
    this.#words.textContent = picture === null && this.#look === null ? "" : text(`gaze.${this.#place()}`);
  }

  #place() {
    if (this.#look === null) return "whole";
    const [left, top, width, height] = this.#look;
    return PLACES[third(top + height / 2)][third(left + width / 2)];
  }

  // The shade covers the picture, however large it is shown; its place in a picture does not turn with the script.
  #lay() {
    const picture = this.#artwork.querySelector("img.work.shown") ?? this.#artwork.querySelector("img.work");
    for (const shade of this.#shades) {
      shade.style.left = `${picture.offsetLeft}px`;
      shade.style.top = `${picture.offsetTop}px`;
      shade.style.width = `${picture.offsetWidth}px`;
      shade.style.height = `${picture.offsetHeight}px`;
    }
  }
}

function third(share) {
  return Math.max(0, Math.min(2, Math.floor(3 * share)));
}
