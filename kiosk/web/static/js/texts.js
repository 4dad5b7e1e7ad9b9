// The texts of the pages in the visitor's language.

import { address } from "./requests.js";

const LANGUAGES = document.documentElement.dataset.languages.split(" "); // the server lists the files of texts
const CHOICE = "language"; // lives as long as the tab

let texts = {};
let greeting = "en";
let wishes = 0;
let fetched = 0;

/** The language that is shown now (BCP 47). */
export function language() {
  return document.documentElement.lang;
}

/** A text with its {places} filled; the key itself where there is none. */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

/** Whether there is a text of this name. */
export function hasText(key) {
  return key in texts;
}

/** The texts of another language, without showing them. */
export async function textsOf(wanted) {
  if (!LANGUAGES.includes(wanted)) return null;
  const answer = await fetch(address(`/static/texts/${wanted}.json`));
  return answer.ok ? answer.json() : null;
}

/**
 * Shows the page in the language that the visitor chose, else in the one that the server found, and fills the switch.
 * `shown` is called after every change.
 */
export async function startTexts(select, shown) {
  greeting = document.documentElement.lang;
  document.fonts.addEventListener("loadingdone", drawAnew);
  for (const code of LANGUAGES) {
    const option = new Option(nameOf(code), code);
    option.lang = code;
    select.append(option);
  }
  select.addEventListener("change", async () => {
    sessionStorage.setItem(CHOICE, select.value);
    await showLanguage(select, select.value, shown);
  });
  await showLanguage(select, sessionStorage.getItem(CHOICE) ?? greeting, shown);
}

/** Back to the language of the greeting: the next visitor may speak another one. */
export async function forgetLanguage(select, shown) {
  sessionStorage.removeItem(CHOICE);
  if (language() !== greeting) await showLanguage(select, greeting, shown);
}

/** Shows the page in a language, without keeping it; of several that are asked for at once, the last one stays. */
export async function showLanguage(select, wanted, shown) {
  wishes += 1;
  const wish = wishes;
  const found = await textsOf(wanted);
  if (wish !== wishes) return;
  texts = found ?? texts;
  document.documentElement.lang = wanted;
  document.documentElement.dir = text("direction");
  select.value = wanted;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-text-alt]")) element.alt = text(element.dataset.textAlt);
  for (const element of document.querySelectorAll("[data-text-label]")) {
    element.setAttribute("aria-label", text(element.dataset.textLabel));
  }
  shown?.();
}

// Chromium keeps some words as they were before their letters came: another setting of the font, which changes nothing
// in ours, draws them anew.
function drawAnew() {
  fetched += 1;
  document.documentElement.style.fontFeatureSettings = `"anew" ${fetched}`;
}

// What a language calls itself, with a capital where it has them: "Français".
function nameOf(code) {
  const [first, ...rest] = new Intl.DisplayNames([code], { type: "language" }).of(code);
  return first.toLocaleUpperCase(code) + rest.join("");
}
