// Signing in, and asking again and again as long as one is signed in.

import { address, ask } from "./requests.js";
import { startTexts, text } from "./texts.js";

const PERIOD = 1000; // milliseconds between two looks at the state
const NOTICE = 3000;

const at = (id) => document.getElementById(id);

/** A staff page: `show` is given the state again and again, `refresh` is called when the language changes. */
export class StaffSession {
  #title; #show; #refresh; #timer = 0; #notice = 0; #refused = null; #view;

  constructor(title, show, refresh) {
    this.#title = title;
    this.#show = show;
    this.#refresh = refresh;
    this.#view = new LiveView(at("view"));
  }

  async start() {
    at("sign-in").addEventListener("submit", (event) => this.#signIn(event));
    at("sign-out")?.addEventListener("click", () => this.#signOut());
    await startTexts(at("language"), () => this.#showTexts());
    document.body.classList.add("ready");
    await this.look();
  }

  /** Looks at the state now. */
  async look() {
    clearTimeout(this.#timer);
    const { status, data, error } = await ask("GET", "/api/staff/state");
    this.#open(status === 200, status === 401);
    if (status === 200) {
      this.#view.show(data.view?.outline ?? null, data.region, data.look);
      at("view-sentence").textContent = data.view?.sentence ?? "";
      this.#show(data);
    } else if (error === "unpaired") {
      this.tell("pair.text");
    } else if (status !== 401) {
      this.tell("connection.lost");
    }
    if (status !== 401) this.#timer = setTimeout(() => this.look(), PERIOD);
  }

  /** Asks for a change and tells how it went. */
  async change(method, path, body, done = "staff.done", refused = "staff.failed") {
    const { status } = await ask(method, path, body);
    this.tell(status >= 200 && status < 300 ? done : refused);
    await this.look();
  }

  /** Shows a text for a while. */
  tell(key) {
    at("notice").textContent = text(key);
    clearTimeout(this.#notice);
    this.#notice = setTimeout(() => {
      at("notice").textContent = "";
    }, NOTICE);
  }

  #open(signedIn, signedOut) {
    if (signedIn || signedOut) {
      at("desk").hidden = !signedIn;
      at("sign-in").hidden = signedIn;
      if (at("sign-out")) at("sign-out").hidden = !signedIn;
    }
    this.#view.live = signedIn;
  }

  async #signIn(event) {
    event.preventDefault();
    const pin = at("pin").value;
    if (pin === "") return;
    const { status, error, wait } = await ask("POST", "/api/staff/session", { pin });
    at("pin").value = "";
    const reasons = { "no-pin": "staff.no-pin", "too-often": "staff.too-often", unreached: "connection.lost" };
    this.#refused = status === 204 ? null : [reasons[error] ?? "staff.wrong-pin", { seconds: wait }];
    this.#showTexts();
    if (status === 204) await this.look();
    else at("pin").focus();
  }

  async #signOut() {
    await ask("DELETE", "/api/staff/session");
    await this.look();
    at("pin").focus();
  }

  #showTexts() {
    document.title = text(this.#title);
    at("refused").textContent = this.#refused === null ? "" : text(...this.#refused);
    this.#refresh();
  }
}

/** The newest picture of the camera with its outlines, one after the other as fast as they come, at most 4 a second. */
class LiveView {
  #image; #found; #region; #look; #live = false; #count = 0;

  constructor(view) {
    this.#image = view.querySelector("img");
    this.#found = view.querySelector("polygon.found");
    this.#region = view.querySelector("polygon.region");
    this.#look = view.querySelector("polygon.look");
    this.#image.onload = () => {
      this.#image.hidden = false;
      view.style.setProperty("--shape", this.#image.naturalWidth / this.#image.naturalHeight); // fits an upright one
      this.#again(250);
    };
    this.#image.onerror = () => {
      this.#image.hidden = true;
      this.#again(2000);
    };
  }

  set live(live) {
    if (live && !this.#live) this.#load();
    this.#live = live;
  }

  show(found, region, look) {
    drawOutline(this.#found, found);
    if (this.#look !== null) drawOutline(this.#look, look);
    if (!this.#region.closest(".calibrate")) drawOutline(this.#region, region);
  }

  #again(pause) {
    setTimeout(() => this.#live && this.#load(), pause);
  }

  #load() {
    this.#count += 1;
    this.#image.src = address(`/api/staff/view.jpg?${this.#count}`);
  }
}

/** Draws four corners [x, y] in 0 to 1, or nothing. */
export function drawOutline(polygon, corners) {
  polygon.setAttribute("points", (corners ?? []).map((corner) => corner.join(",")).join(" "));
}
