// The picture of a reject may come later than its card: the place of it is marked until the station gives it.
(() => {
  const FIRST_MS = 250;
  const LONGEST_MS = 8000;
  const MOST = 12;
  const isPicture = (image) => image instanceof HTMLImageElement && image.closest(".lw-reject-picture") !== null;
  // Neither event bubbles: they are heard on their way down. A load never passes by the window.
  document.addEventListener("load", (event) => isPicture(event.target) && delete event.target.dataset.awaited, true);
  document.addEventListener("error", (event) => {
    const image = event.target;
    if (!isPicture(image)) return;
    const tries = Number(image.dataset.awaited ?? 0) + 1;
    image.dataset.awaited = tries;
    if (tries > MOST) return;
    const again = () => { if (image.isConnected) image.src = `${image.src.split("?")[0]}?${tries}`; };
    setTimeout(again, Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS));
  }, true);
})();
