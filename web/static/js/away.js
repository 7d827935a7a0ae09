// What is worth money leaves the screen while its owner looks elsewhere, and comes back with them.
(() => {
  "use strict";

  const look = () => {
    for (const part of document.querySelectorAll("[data-away]")) part.hidden = document.hidden;
  };
  document.addEventListener("visibilitychange", look);
  look();
})();
