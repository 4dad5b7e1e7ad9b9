// The staff page: how everything is, and what can be set.

import { StaffSession } from "./staff-session.js";
import { hasText, language, text } from "./texts.js";

const SETTLED = 120; // milliseconds that the slider rests before its volume is sent

const at = (id) => document.getElementById(id);
const switches = [...document.querySelectorAll("[data-switch]")];
const session = new StaffSession("staff.title", show, () => state !== null && show(state));
let state = null;
let sliding = 0;

function show(now) {
  state = now;
  at("health").classList.toggle("bad", !now.healthy);
  at("healthy").textContent = text(now.healthy ? "staff.healthy" : "staff.unhealthy");
  at("sounding").textContent = text(`staff.sounding.${now.sounding}`);
  at("little").textContent = now.little_to_see ? text("staff.little") : "";
  for (const button of switches) button.setAttribute("aria-pressed", now.controls[button.dataset.switch]);
  if (sliding === 0) showVolume(Math.round(100 * now.controls.volume));
  showParts(now.parts);
  showNumbers(at("timings"), now.timings, (value) => value.toFixed(1));
  showNumbers(at("counters"), now.counters, (value) => value.toLocaleString(`${language()}-u-nu-latn`));
}

function showVolume(percent) {
  at("volume").value = percent;
  at("volume-shown").textContent = `${percent} %`;
}

// Rows stay where they are: a button that is replaced while it is tapped would not be tapped.
function showParts(parts) {
  const rows = at("parts");
  while (rows.rows.length > parts.length) rows.deleteRow(-1);
  parts.forEach((part, index) => {
    const row = rows.rows[index] ?? newPartRow(rows);
    const name = named("staff.part", part.name);
    const [heading, condition, device, restarts, action] = row.cells;
    heading.textContent = name;
    condition.firstChild.classList.toggle("bad", !part.ok);
    condition.querySelector("span.said").textContent = text(part.ok ? "staff.ok" : "staff.care");
    condition.querySelector("bdi").textContent = part.sentence;
    device.firstChild.textContent = part.device;
    restarts.textContent = part.restarts;
    action.firstChild.textContent = text("staff.restart");
    action.firstChild.setAttribute("aria-label", text("staff.restart.part", { part: name }));
    action.firstChild.onclick = () => session.change("POST", "/api/staff/restart", { part: part.name });
  });
}

function newPartRow(rows) {
  const row = rows.insertRow();
  const heading = document.createElement("th");
  heading.scope = "row";
  row.append(heading);
  const condition = row.insertCell();
  const line = document.createElement("div");
  line.className = "condition";
  const light = document.createElement("span");
  light.className = "light";
  light.setAttribute("aria-hidden", "true");
  const said = document.createElement("span");
  said.className = "said";
  const small = document.createElement("small");
  small.append(isolated(""));
  line.append(light, said, small);
  condition.append(line);
  row.insertCell().append(isolated(""));
  row.insertCell().className = "number";
  const button = document.createElement("button");
  button.type = "button";
  row.insertCell().append(button);
  return row;
}

// The exhibit's own words are English, whichever way the page runs.
function isolated(words) {
  const element = document.createElement("bdi");
  element.lang = "en";
  element.textContent = words;
  return element;
}

function showNumbers(body, numbers, written) {
  const entries = Object.entries(numbers);
  const rows = (entries.length ? entries : [[text("staff.empty"), null]]).map(([name, value]) => {
    const row = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.append(isolated(name.replaceAll("_", " ")));
    const number = document.createElement("td");
    number.className = "number";
    number.textContent = value === null ? "" : written(value);
    row.append(heading, number);
    return row;
  });
  body.replaceChildren(...rows);
}

function named(kind, name) {
  return hasText(`${kind}.${name}`) ? text(`${kind}.${name}`) : name;
}

for (const button of switches) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") === "true";
    session.change("PUT", "/api/staff/controls", { [button.dataset.switch]: !on });
  });
}
at("volume").addEventListener("input", () => {
  showVolume(at("volume").valueAsNumber);
  clearTimeout(sliding);
  sliding = setTimeout(async () => {
    const sent = at("volume").valueAsNumber;
    await session.change("PUT", "/api/staff/controls", { volume: sent / 100 });
    if (at("volume").valueAsNumber === sent) sliding = 0;
  }, SETTLED);
});

await session.start();
