// The visitors' page: connects to the server and updates the parts of the page from its messages.

import { feelingColour } from "./colours.js";
import { CommentBox } from "./comment.js";
import { Connection } from "./connection.js";
import { Gaze } from "./views/gaze.js";
import { Plane } from "./views/plane.js";
import { address, ask } from "./requests.js";
import { Ribbon } from "./views/ribbon.js";
import { Rotation } from "./rotation.js";
import { Sound } from "./sound.js";
import { Speech } from "./speech/button.js";
import { hasText, language, startTexts, text } from "./texts.js";

const BACK_SHOWN = 4000; // milliseconds
const RETRY = 3000;

const at = (id) => document.getElementById(id);
const banner = at("connection");
const languageSwitch = at("language");
let room = null;
let outsideText = "pair.text";

class Room {
  #plane = new Plane(at("plane")); #gaze = new Gaze(at("artwork"), at("gaze")); #ribbon; #sound; #box; #connection = new Connection("/live");
  #speech = null; #felt = null; #asked = 0; #artwork = 0; #lost = false; #back = false; #full = false; #paused = false;

  constructor(visit) {
    this.#ribbon = new Ribbon(at("ribbon"), visit.sample_rate / visit.hop, visit.bands);
    this.#sound = new Sound(at("listen"), at("listening"), visit.sample_rate, visit.channels);
    this.#ribbon.heard = () => (this.#sound.position === null ? null : this.#sound.position / visit.hop);
    this.#box = new CommentBox(at("comment"), visit.comment_language, visit.longest_comment);
    if (visit.longest_speech > 0) this.#speech = new Speech(at("speak"), this.#box, visit.longest_speech);
    if (visit.own_screen) this.#share(visit);
    if (visit.own_screen && visit.joinable) this.#showCode();
    this.#startRibbonSwitch();
    this.#connection.addEventListener("news", ({ detail }) => this.#hear(detail));
    this.#connection.addEventListener("piece", ({ detail }) => this.#ribbon.add(detail));
    this.#connection.addEventListener("lost", () => this.#lose());
    this.#connection.addEventListener("full", () => {
      this.#full = true;
    });
    this.#connection.open();
  }

  async refresh() {
    this.#sound.refresh();
    if (this.#felt !== null) this.#showFeeling(this.#felt);
    else showWord(text("feeling.none"));
    this.#labelRibbonSwitch();
    this.#gaze.refresh();
    this.#tell();
    await this.#box.refresh();
  }

  #hear(news) {
    this.#regain();
    if (news.felt !== null) this.#feel(news.felt);
    if (news.artwork !== this.#artwork) this.#showArtwork(news.artwork);
    this.#gaze.show(news.look);
    this.#paused = news.paused;
    this.#tell();
  }

  #feel(felt) {
    this.#plane.moveTo(felt);
    this.#ribbon.colour = feelingColour(felt.valence, felt.arousal);
    this.#box.answered(felt);
    if (JSON.stringify(felt) === JSON.stringify(this.#felt)) return;
    const word = at("word");
    if (this.#felt === null || felt.word === this.#felt.word) {
      this.#felt = felt;
      this.#showFeeling(felt);
      return;
    }
    this.#felt = felt;
    word.classList.add("changing");
    setTimeout(() => {
      word.classList.remove("changing");
      this.#showFeeling(this.#felt);
    }, 500);
  }

  #showFeeling(felt) {
    const word = named("emotion", felt.word);
    showWord(word);
    this.#plane.describe(word);
    const players = [...new Set(felt.instruments)].map((name) => named("instrument", name)).join(text("list.separator"));
    const tempo = felt.tempo === null ? null : text("feeling.tempo", { tempo: Math.round(felt.tempo) });
    const mode = felt.mode === null ? null : named("mode", felt.mode);
    at("music").textContent = [players || null, mode, tempo].filter((part) => part !== null).join(" · ");
    this.#showCauses();
  }

  // Asks why the music is as it is; the last answer counts.
  async #showCauses() {
    this.#asked += 1;
    const question = this.#asked;
    const { data } = await ask("GET", `/api/why/${language()}`);
    if (data === null || question !== this.#asked) return;
    at("why").hidden = data.sentences.length === 0;
    if (data.sentences.join() === [...at("causes").children].map((line) => line.textContent).join()) return;
    at("causes").replaceChildren(...data.sentences.map((sentence) => {
      const line = document.createElement("li");
      line.textContent = sentence;
      return line;
    }));
  }

  // Fades the new artwork in over the old one once it has loaded.
  async #showArtwork(number) {
    this.#artwork = number;
    const [shown, other] = at("artwork").querySelectorAll("img.work");
    const [old, fresh] = shown.classList.contains("shown") ? [shown, other] : [other, shown];
    fresh.src = address(`/api/artwork.jpg?${number}`);
    try {
      await fresh.decode();
    } catch {
      this.#artwork = 0; // the next message tries again
      return;
    }
    if (this.#artwork !== number) return;
    fresh.hidden = false;
    fresh.alt = text("artwork.alt");
    fresh.dataset.textAlt = "artwork.alt";
    old.alt = "";
    delete old.dataset.textAlt;
    at("artwork-none").hidden = true;
    requestAnimationFrame(() => {
      fresh.classList.add("shown");
      old.classList.remove("shown");
      this.#gaze.refresh();
    });
  }

  // On the exhibit's own screen: the next visitor finds it as the one before did.
  #share(visit) {
    const rotation = new Rotation(visit.screen_languages, visit.screen_seconds, languageSwitch, refresh);
    this.#box.clearWhenIdle(languageSwitch, refresh, () => {
      this.#speech?.cancel();
      at("why").open = false;
      rotation.start();
    });
    rotation.start();
  }

  #showCode() {
    at("code-picture").src = address("/api/join.svg");
    at("code").hidden = false;
  }

  #startRibbonSwitch() {
    const button = at("ribbon-switch");
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const set = (stopped) => {
      button.setAttribute("aria-pressed", stopped);
      this.#ribbon.moving = !stopped;
      this.#labelRibbonSwitch();
    };
    button.addEventListener("click", () => set(button.getAttribute("aria-pressed") === "false"));
    still.addEventListener("change", () => set(still.matches));
    set(still.matches);
  }

  #labelRibbonSwitch() {
    const button = at("ribbon-switch");
    const stopped = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-label", text(stopped ? "ribbon.move" : "ribbon.still"));
  }

  async #lose() {
    this.#lost = true;
    this.#tell();
    const { status } = await ask("GET", "/api/visit");
    if (status === 401) location.reload(); // the exhibit has another token now
  }

  #regain() {
    this.#full = false;
    if (!this.#lost) return;
    this.#lost = false;
    this.#artwork = 0; // a restarted exhibit counts its artworks from 1 again
    this.#back = true;
    setTimeout(() => {
      this.#back = false;
      this.#tell();
    }, BACK_SHOWN);
  }

  // Shows one line in the banner: the most important state that applies.
  #tell() {
    document.body.classList.toggle("lost", this.#lost);
    let key = null;
    if (this.#full) key = "connection.full";
    else if (this.#lost) key = "connection.lost";
    else if (this.#back) key = "connection.back";
    else if (this.#paused) key = "exhibit.paused";
    const line = key === null ? "" : text(key);
    if (banner.textContent !== line) banner.textContent = line;
  }
}

function named(kind, name) {
  return hasText(`${kind}.${name}`) ? text(`${kind}.${name}`) : name;
}

// The word of the feeling; its size follows its longest part, so that none is broken.
function showWord(word) {
  if (at("word").textContent !== word) at("word").textContent = word;
  at("word").style.setProperty("--letters", Math.max(...word.split(" ").map((part) => part.length)));
}

async function refresh() {
  document.title = text("title");
  at("pair-text").textContent = text(outsideText);
  await room?.refresh();
}

// The QR code's address has the pairing token after its #: sends it to the server and removes it from the address bar.
async function pair() {
  const token = new URLSearchParams(location.hash.slice(1)).get("pair");
  if (token === null) return;
  history.replaceState(null, "", location.pathname);
  const { status } = await ask("POST", "/api/pair", { token });
  if (status === 403) outsideText = "pair.wrong";
}

async function enter() {
  const { status, data } = await ask("GET", "/api/visit");
  at("outside").hidden = status !== 401;
  if (status === 401) return;
  if (data === null) {
    banner.textContent = text("connection.lost");
    setTimeout(enter, RETRY);
    return;
  }
  banner.textContent = "";
  at("room").hidden = false;
  room = new Room(data);
  await room.refresh();
}

await startTexts(languageSwitch, refresh);
document.body.classList.add("ready");
addEventListener("hashchange", () => location.reload());
await pair();
await enter();
await refresh();
