// Filters, finds and plays. Without it the page still shows everything, and each play button is a link to its sound.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const works = [...document.querySelectorAll(".work")];
  const dots = [...document.querySelectorAll(".map .dot")];
  const buttons = [...document.querySelectorAll(".filters button")];
  const found = works.map((work) =>
    [...work.querySelectorAll("h2, .by, .said, .word, .palette, .hung p")].map((part) => part.textContent).join(" ").toLocaleLowerCase());
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const sound = new Audio();
  sound.preload = "none";
  let playing = null;
  let seeking = false;

  // What is shown.
  const search = one("#search");
  const count = one("#count");
  const show = () => {
    const feeling = one(".filters [aria-pressed='true']").dataset.feeling;
    const words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    works.forEach((work, index) => {
      const seen = (!feeling || work.dataset.feeling === feeling) && words.every((word) => found[index].includes(word));
      work.hidden = !seen;
      dots[index].classList.toggle("away", !seen);
      left += seen;
    });
    one("#none").hidden = left > 0;
    count.textContent = left === works.length ? "" : `${left} of ${works.length} works`;
  };
  buttons.forEach((button) => button.addEventListener("click", () => {
    buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    show();
  }));
  search.addEventListener("input", show);
  one(".find").hidden = false;
  one(".filters").hidden = false;

  // What is heard: one sound at a time, whose button, line and dot say so.
  const bar = one("#bar");
  const seek = one("#seek");
  const turn = one("#turn");
  const told = one("#told-off");
  const mark = () => {
    const heard = playing && !sound.paused;
    playing?.classList.toggle("playing", heard);
    if (playing) {
      const title = one("h2", playing).textContent;
      one(".play", playing).setAttribute("aria-label", `${heard ? "Pause" : "Play"} ${title}`);
    }
    turn.classList.toggle("held", !heard);
    turn.setAttribute("aria-label", heard ? "Pause" : "Play");
  };
  const length = () => (Number.isFinite(sound.duration) ? sound.duration : Number(playing.dataset.seconds));
  // Where the music looks: a soft light on the picture, around which the rest lies in the shade.
  const look = (second) => {
    const shades = [...playing.querySelectorAll(".shade")];
    if (!shades.length) return;
    const stretches = shades[0].dataset.gaze.split(";").map((stretch) => stretch.split(",").map(Number));
    const now = stretches.findIndex(([start, end]) => second >= start && second < end);
    const cast = shades.find((shade) => shade.classList.contains("cast"));
    if (String(now) === (cast?.dataset.stretch ?? "-1")) return;
    cast?.classList.remove("cast");
    if (now < 0) return;
    const shade = shades.find((each) => each !== cast);
    const picture = one("img", playing);
    const [, , left, top, width, height] = stretches[now];
    const values = { x: left + width / 2, y: top + height / 2, rx: 0.75 * width, ry: 0.75 * height };
    for (const [name, value] of Object.entries(values)) shade.style.setProperty(`--${name}`, `${100 * value}%`);
    shade.style.left = `${picture.offsetLeft}px`;
    shade.style.top = `${picture.offsetTop}px`;
    shade.style.width = `${picture.offsetWidth}px`;
    shade.style.height = `${picture.offsetHeight}px`;
    shade.dataset.stretch = String(now);
    shade.classList.add("cast");
  };
  const advance = () => {
    if (!playing) return;
    look(sound.currentTime);
    const share = Math.min(1, sound.currentTime / length());
    one(".line i", playing).style.transform = `scaleX(${share})`;
    one(".time", playing).textContent = `${clock(sound.currentTime)} / ${clock(length())}`;
    one("#time").textContent = one(".time", playing).textContent;
    if (!seeking) seek.value = String(Math.round(share * 1000));
    seek.setAttribute("aria-valuetext", one(".time", playing).textContent);
  };
  const leave = () => {
    if (!playing) return;
    sound.pause();
    mark();
    look(-1);
    dots[works.indexOf(playing)].classList.remove("now");
    one(".line i", playing).style.transform = "";
    one(".time", playing).textContent = clock(Number(playing.dataset.seconds));
    playing = null;
  };
  const begin = (work) => {
    leave();
    playing = work;
    const dot = dots[works.indexOf(work)];
    dot.classList.add("now");
    dot.parentNode.append(dot);
    bar.className = `bar ${work.classList.contains("warm") ? "warm" : work.classList.contains("cool") ? "cool" : "neutral"}`;
    bar.hidden = false;
    told.textContent = "";
    one("#now-title").textContent = one("h2", work).textContent;
    one("#now-felt").textContent = one(".word", work).textContent;
    sound.src = one(".play", work).href;
    resume();
  };
  const resume = () => {
    const work = playing;
    sound.play().catch((error) => {
      if (work !== playing || error.name === "AbortError") return;
      told.textContent = "This sound cannot be played here: the file is missing, or this browser does not know its format.";
    });
  };
  const toggle = (work) => {
    if (work !== playing) begin(work);
    else if (sound.paused) resume();
    else sound.pause();
  };
  const step = (by) => {
    const shown = works.filter((work) => !work.hidden);
    if (!shown.length) return;
    const here = shown.indexOf(playing);
    const next = shown[(here + by + shown.length) % shown.length];
    begin(next);
    next.scrollIntoView({ block: "nearest" });
  };
  for (const event of ["play", "pause", "ended"]) sound.addEventListener(event, mark);
  for (const event of ["timeupdate", "durationchange", "ended"]) sound.addEventListener(event, advance);
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".play");
    const dot = event.target.closest(".map .dot");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      toggle(link.closest(".work"));
    } else if (dot) {
      const work = document.getElementById(dot.dataset.work);
      work.scrollIntoView({ block: "center" });
      one(".play", work).focus({ preventScroll: true });
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.classList.contains("play")) {
      event.preventDefault();
      toggle(event.target.closest(".work"));
    } else if (event.key === "Escape" && !bar.hidden) {
      one("#close").click();
    }
  });
  document.querySelectorAll(".play").forEach((link) => link.setAttribute("role", "button"));
  turn.addEventListener("click", () => playing && toggle(playing));
  one("#before").addEventListener("click", () => step(-1));
  one("#after").addEventListener("click", () => step(1));
  one("#close").addEventListener("click", () => {
    const work = playing;
    leave();
    bar.hidden = true;
    one(".play", work)?.focus();
  });
  seek.addEventListener("input", () => {
    seeking = true;
    sound.currentTime = (Number(seek.value) / 1000) * length();
    seeking = false;
  });
})();
