// What is done when the page opens.

readKept();
grid.append(...data.samples.map(makeTile));
for (const { tile } of tiles.values()) shows.observe(tile);
for (const id of tiles.keys()) mark(id);
makeFilters();
filter();
showWaiting();
byId("tools").hidden = false;

function showEstimate() {
  const place = byId("estimate");
  if (!place) return;
  const found = estimate(data.review, (id) => answers.get(id));
  place.replaceChildren(...estimateInWords(found, data.total).map((line) => element("p", "", line)));
}
showEstimate();

watchers.push((id) => {
  if (id === undefined) for (const one of tiles.keys()) mark(one);
  else mark(id);
  count();
  showEstimate();
});

grid.addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (tile) openViewer(shown, shown.findIndex((sample) => sample.id === tile.sampleId));
});
grid.addEventListener("focusin", (event) => {
  const place = shown.findIndex((sample) => sample.id === event.target.sampleId);
  if (place >= 0 && place !== current) setCurrent(place);
});

addEventListener("keydown", press);
byId("keys").addEventListener("click", () => help.showModal());
byId("undo").addEventListener("click", takeBack);
byId("close").addEventListener("click", () => viewer.close());
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("wanted").addEventListener("input", offer);
byId("choose-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const [name] = offer();
  if (name !== undefined) chosen(name);
});

byId("start-review")?.addEventListener("click", () => {
  const open = data.review.findIndex((one) => !answers.has(one.id));
  openViewer(data.review, Math.max(open, 0), true);
});

byId("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv()], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`${counted(decided().length, "decision")} saved. Next: ${data.apply}`);
});

byId("load").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  try {
    say(`${counted(fromCsv(await file.text()), "decision")} loaded from ${file.name}.`);
  } catch (error) {
    say(`${file.name}: nothing was loaded: ${error.message}.`, true);
  }
  event.target.value = ""; // so that the same file can be loaded again
  filter();
});
