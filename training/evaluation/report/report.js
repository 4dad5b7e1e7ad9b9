// One sound at a time: whoever compares two sounds does not want to hear both at once.
"use strict";
(() => {
  const sounds = [...document.querySelectorAll("audio")];
  document.addEventListener("play", ({ target }) => {
    sounds.forEach((sound) => { if (sound !== target) sound.pause(); });
  }, true);
})();
