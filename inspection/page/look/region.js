// A region is chosen by dragging over the live picture; the page gets it as shares of the picture: x, y, width, height.
(() => {
  const LEAST_PX = 8;
  let from = null;

  function pictureBox(image) {
    const box = image.getBoundingClientRect();
    const columns = Number(image.dataset.columns), rows = Number(image.dataset.rows);
    const scale = Math.min(box.width / columns, box.height / rows);
    const width = columns * scale, height = rows * scale;
    return { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height };
  }

  function within(event, box) {
    return {
      x: Math.min(Math.max(event.clientX - box.x, 0), box.width),
      y: Math.min(Math.max(event.clientY - box.y, 0), box.height),
    };
  }

  function rectangle(to) {
    return {
      x: Math.min(from.x, to.x), y: Math.min(from.y, to.y),
      width: Math.abs(from.x - to.x), height: Math.abs(from.y - to.y),
    };
  }

  function show(drawn, box) {
    const mark = document.querySelector(".lw-drag"), stage = mark.parentElement.getBoundingClientRect();
    mark.style.display = drawn === null ? "none" : "block";
    if (drawn !== null) {
      mark.style.left = `${box.x - stage.x + drawn.x}px`;
      mark.style.top = `${box.y - stage.y + drawn.y}px`;
      mark.style.width = `${drawn.width}px`;
      mark.style.height = `${drawn.height}px`;
    }
  }

  document.addEventListener("pointerdown", (event) => {
    const image = event.target.closest?.(".lw-live-picture");
    if (!image || !image.dataset.columns) return;
    from = within(event, pictureBox(image));
    event.preventDefault();
  });
  document.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const box = pictureBox(document.querySelector(".lw-live-picture"));
    show(rectangle(within(event, box)), box);
  });
  document.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const box = pictureBox(document.querySelector(".lw-live-picture"));
    const drawn = rectangle(within(event, box));
    from = null;
    show(null, box);
    if (Math.min(drawn.width, drawn.height) < LEAST_PX) return;
    emitEvent("lineward_region", [
      drawn.x / box.width, drawn.y / box.height, drawn.width / box.width, drawn.height / box.height,
    ]);
  });
  document.addEventListener("pointercancel", () => { from = null; show(null, null); });
})();
