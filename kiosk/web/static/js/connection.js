// A socket that comes back by itself.

import { address } from "./requests.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
const QUIET = 6000; // the server says something every two seconds at least
const FULL = 1013;

/**
 * Keeps a WebSocket open until `close`.
 *
 * Events: "open"; "lost" (once each time it is lost, or cannot be opened); "news" (detail: what the server tells);
 * "piece" (detail: ArrayBuffer); "full" (there are too many).
 */
export class Connection extends EventTarget {
  #path; #quiet; #socket = null; #pause = FIRST_PAUSE; #retry = 0; #watch = 0; #wanted = false; #open = false;

  constructor(path, quiet = QUIET) {
    super();
    this.#path = path;
    this.#quiet = quiet;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#hurry());
  }

  open() {
    this.#wanted = true;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#drop();
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#drop();
    const target = new URL(address(this.#path), location.href);
    target.protocol = target.protocol.replace("http", "ws");
    target.hash = "";
    const socket = new WebSocket(target);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#open = true;
      this.#tell("open");
    };
    socket.onmessage = ({ data }) => {
      this.#pause = FIRST_PAUSE; // only a server that speaks is back
      this.#expect();
      if (typeof data === "string") this.#tell("news", JSON.parse(data));
      else this.#tell("piece", data);
    };
    socket.onclose = ({ code }) => {
      if (code === FULL) this.#tell("full");
      this.#lose();
    };
    this.#socket = socket;
    this.#expect();
  }

  // A connection can die without a word, for example when a phone leaves the room.
  #expect() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lose(), this.#quiet);
  }

  #lose() {
    this.#drop();
    if (!this.#wanted) return;
    this.#open = false;
    this.#tell("lost");
    this.#retry = setTimeout(() => this.#connect(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #drop() {
    clearTimeout(this.#watch);
    if (this.#socket === null) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #hurry() {
    if (this.#wanted && !this.#open) {
      this.#pause = FIRST_PAUSE;
      this.#connect();
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
