// The calibration page: four corners that are dragged, tapped or moved with the arrow keys onto those of the artwork.

import { StaffSession, drawOutline } from "./staff-session.js";
import { text } from "./texts.js";

const STEP = 0.002; // of the picture, for an arrow key
const LARGE_STEP = 0.02; // with Shift
const BEGINNING = [[0.25, 0.2], [0.75, 0.2], [0.75, 0.8], [0.25, 0.8]];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const at = (id) => document.getElementById(id);
const view = at("view");
const polygon = view.querySelector("polygon.region");
const handles = [...view.querySelectorAll(".corner")];
const session = new StaffSession("calibrate.title", show, refresh);
let corners = null;
let outline = null;
let chosen = null;
let dragged = null;

function show(state) {
  outline = state.view?.outline ?? null;
  at("found").disabled = outline === null;
  if (corners === null) place(state.region ?? outline ?? BEGINNING);
}

function place(fresh) {
  corners = fresh.map((corner) => corner.map((value) => Math.max(0, Math.min(1, value))));
  refresh();
}

function refresh() {
  if (corners === null) return;
  drawOutline(polygon, corners);
  handles.forEach((handle, index) => {
    const [x, y] = corners[index];
    handle.style.left = `${100 * x}%`;
    handle.style.top = `${100 * y}%`;
    handle.setAttribute("aria-label", described(index));
    handle.setAttribute("aria-pressed", index === chosen);
  });
}

function described(index) {
  const [x, y] = corners[index].map((value) => (100 * value).toFixed(1));
  return text("calibrate.place", { corner: text(`calibrate.corner.${index}`), x, y });
}

function move(index, x, y) {
  place(corners.map((corner, other) => (other === index ? [x, y] : corner)));
}

function choose(index) {
  chosen = index;
  refresh();
}

function pointed(event) {
  const { left, top, width, height } = view.querySelector("svg").getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height];
}

handles.forEach((handle, index) => {
  handle.addEventListener("click", () => choose(index));
  handle.addEventListener("focus", () => choose(index));
  handle.addEventListener("pointerdown", (event) => {
    dragged = index;
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => dragged === index && move(index, ...pointed(event)));
  handle.addEventListener("pointerup", () => {
    dragged = null;
  });
  handle.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = event.shiftKey ? LARGE_STEP : STEP;
    move(index, corners[index][0] + step * arrow[0], corners[index][1] + step * arrow[1]);
    at("place").textContent = described(index);
  });
});
view.addEventListener("click", (event) => {
  if (chosen !== null && !event.target.closest(".corner")) move(chosen, ...pointed(event));
});
at("found").addEventListener("click", () => place(outline));
at("save").addEventListener("click", () => {
  session.change("PUT", "/api/staff/region", { corners }, "calibrate.saved", "calibrate.refused");
});
at("forget").addEventListener("click", async () => {
  await session.change("PUT", "/api/staff/region", { corners: null }, "calibrate.forgotten", "calibrate.refused");
  place(outline ?? BEGINNING);
});

await session.start();
