// The last word on freshness belongs to the browser: when the page's own program no longer sends its beat, everything
// that is on show may be old, and the "no contact" sheet is shown over it.
(() => {
  const PATIENCE_MS = 2000;
  let beat = null;
  let heardAt = performance.now();
  setInterval(() => {
    const now = document.querySelector(".lw-beat")?.dataset.beat ?? null;
    if (now !== null && now !== beat) {
      beat = now;
      heardAt = performance.now();
    }
    document.body.classList.toggle("lw-page-lost", performance.now() - heardAt > PATIENCE_MS);
  }, 250);
})();
