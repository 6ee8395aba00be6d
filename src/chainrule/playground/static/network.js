// The network: its notation to type, and its columns of units to click, both always in step.

import { h, refill, throttled } from "./dom.js";
import { drawImage, drawPixels, fitted } from "./drawing.js";
import { formulaCard } from "./formula.js";
import { CLASSES, ink, onTheme } from "./theme.js";

const TALL = 40, ROOM = 9;

/** As much of a text as there is room for. */
function fitting(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const cut = [...text].findLastIndex((_, end) => context.measureText(`${text.slice(0, end)}…`).width <= room);
  return `${text.slice(0, Math.max(cut, 1))}…`;
}

export function networkCard(lab, { onhover = () => {}, label = "Network", id = "notation" } = {}) {
  const notation = h("textarea", { className: "notation", id, rows: 1, spellcheck: false, autocapitalize: "off", autocomplete: "off", "aria-describedby": `${id}-said` });
  const said = h("p", { className: "said", id: `${id}-said`, role: "status" });
  const heads = h("div", { className: "heads" });
  const diagram = h("canvas", { className: "diagram", role: "img", "aria-label": "The network" });
  const inspector = h("div");
  const scroll = h("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "The network's columns" }, h("div", { className: "network" }, heads, diagram));
  const count = h("span", { className: "muted" });
  const element = h("section", { className: "card" },
    h("h2", {}, h("label", { htmlFor: id }, label), count), notation, said, scroll,
    h("div", { className: "spread" },
      h("button", { className: "quiet", type: "button", onclick: () => lab.insert(lab.chosen.columns.at(-1).first, `Dense(4) >> ${lab.chosen.columns.length > 1 && lab.chosen.columns[0].last > 0 ? lab.chosen.network[lab.chosen.columns[0].last].notation : "Tanh()"}`) }, "+ layer of units"),
      h("button", { className: "quiet", type: "button", onclick: () => lab.insert(lab.chosen.columns.at(-1).first, "Dropout(0.2)") }, "+ dropout"),
      h("span", { className: "note" }, "Click a formula to change it; rest on a unit to see its map.")),
    inspector);
  const first = h("span", {}, "inputs");
  let selected = null, card = null, hovered = null, places = [];

  const grow = () => { notation.style.height = "auto"; notation.style.height = `${notation.scrollHeight + 2}px`; };
  const type = throttled(() => lab.choose({ network: notation.value }), 150);
  notation.addEventListener("input", () => { grow(); said.className = "said"; type(); });
  notation.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); lab.choose({ network: notation.value }); } });
  notation.addEventListener("blur", () => { if (!said.classList.contains("wrong") && lab.chosen) { notation.value = lab.chosen.choices.network; grow(); } });

  const select = (place) => {
    selected = selected === place ? null : place;
    card = null;
    inspect();
    for (const chip of heads.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", String(Number(chip.dataset.place) === selected));
  };

  function inspect() {
    const layer = selected === null ? null : lab.chosen?.network[selected];
    if (!layer) { selected = card = null; inspector.replaceChildren(); return; }
    if (!card) {
      const place = selected;
      card = formulaCard({ lab, title: `Layer ${place + 1}`, families: ["activations", "layers"], level: "h3",
        pick: (value) => lab.edit("network", [place], value), edit: (path, value) => lab.edit("network", [place, ...path], value) });
      card.element.classList.remove("card");
      inspector.replaceChildren(h("hr", { style: "border:0;border-top:1px solid var(--line);margin:1rem 0" }), card.element);
    }
    card.show(layer);
  }

  function head(column, number) {
    const layers = lab.chosen.network.slice(column.first, column.last + 1), last = number === lab.chosen.columns.length - 1;
    const dense = layers[0].fields.find((field) => field.name === "units"), units = (value) => lab.edit("network", [column.first, "units"], value);
    return h("div", { className: "head" },
      h("div", { className: "units" },
        dense && !last ? [
          h("button", { className: "tiny", type: "button", "aria-label": `A unit less in column ${number + 1}`, disabled: dense.value < 2, onclick: () => units(lab.chosen.network[column.first].fields.find((field) => field.name === "units").value - 1) }, "−"),
          h("span", {}, String(dense.value), h("span", { className: "hidden" }, " units")),
          h("button", { className: "tiny", type: "button", "aria-label": `A unit more in column ${number + 1}`, onclick: () => units(lab.chosen.network[column.first].fields.find((field) => field.name === "units").value + 1) }, "+"),
          h("button", { className: "tiny", type: "button", "aria-label": `Remove column ${number + 1}`, onclick: () => { selected = null; lab.remove(column.first, column.last); } }, "×"),
        ] : h("span", {}, last ? "output" : column.units ? `${column.units} ${column.kernels || !dense ? "channels" : "units"}` : `${column.size} numbers`)),
      layers.map((layer, place) => h("button", { className: "chip", type: "button", title: layer.notation, "data-place": column.first + place, "aria-pressed": String(selected === column.first + place), onclick: () => select(column.first + place) }, layer.notation)));
  }

  const inputs = () => (lab.gallery ? [""] : lab.examples?.inputs ?? []).slice(0, 8);

  function draw() {
    const chosen = lab.chosen;
    if (!chosen || !diagram.isConnected) return;
    const names = inputs(), columns = [{ units: names.length }, ...chosen.columns];
    const most = Math.max(...columns.map((column) => Math.min(column.units, 16)), 1);
    const high = most * (TALL + ROOM) + ROOM + 6;
    if (diagram.style.height !== `${high}px`) diagram.style.height = `${high}px`;
    const { context, width, height } = fitted(diagram), wide = width / columns.length, arrays = lab.picture?.arrays ?? {};
    places = columns.map((column, number) => {
      const shown = Math.min(column.units, 16), begin = (height - shown * (TALL + ROOM) + ROOM) / 2;
      return Array.from({ length: shown }, (_, place) => ({ x: wide * (number + 0.5) - TALL / 2, y: begin + place * (TALL + ROOM), column: number - 1, place }));
    });
    let largest = 1e-9;
    for (let number = 0; number < chosen.columns.length; number++) for (const weight of arrays[`weights${number}`] ?? []) largest = Math.max(largest, Math.abs(weight));
    for (let number = 0; number < chosen.columns.length; number++) {
      const weights = arrays[`weights${number}`];
      if (!weights) continue;
      const [rows, units] = weights.shape;
      places[number].slice(0, rows).forEach((from, row) => places[number + 1].slice(0, units).forEach((to, unit) => {
        const weight = weights[row * units + unit];
        const [x0, y0, x1, y1] = [from.x + TALL, from.y + TALL / 2, to.x, to.y + TALL / 2];
        context.beginPath();
        context.moveTo(x0, y0);
        context.bezierCurveTo((x0 + x1) / 2, y0, (x0 + x1) / 2, y1, x1, y1);
        if (weight === 0) { context.setLineDash([2, 4]); context.strokeStyle = ink("line"); context.lineWidth = 1; context.globalAlpha = 1; }
        else { context.strokeStyle = CLASSES[weight < 0 ? 0 : 1]; context.lineWidth = 0.4 + 5 * (Math.abs(weight) / largest); context.globalAlpha = 0.25 + 0.6 * (Math.abs(weight) / largest); }
        context.stroke();
        context.setLineDash([]);
        context.globalAlpha = 1;
      }));
    }
    context.textAlign = "center";
    context.textBaseline = "middle";
    places.forEach((column, number) => column.forEach((at, place) => {
      context.save();
      context.beginPath();
      context.roundRect(at.x, at.y, TALL, TALL, 9);
      context.fillStyle = ink("card");
      context.fill();
      context.clip();
      const map = arrays[`map${number - 1}`], line = arrays[`line${number - 1}`];
      if (map) drawPixels(context, map, place, at.x, at.y, TALL, TALL, 0.9, !lab.gallery);
      else if (line) curve(context, line, place, at);
      if (number === 0 && lab.gallery) drawImage(context, lab.gallery.arrays.images, lab.gallery.row - lab.gallery.begin, at.x, at.y, TALL, TALL);
      else if (number === 0) {
        context.fillStyle = ink("wash");
        context.fillRect(at.x, at.y, TALL, TALL);
        context.fillStyle = ink("ink");
        const lines = names[place].split(": "), tall = lines.length > 1 || names[place].length > 3 ? 10 : 15;  // of a category one for its value
        context.font = `italic ${tall}px Georgia, "DejaVu Serif", serif`;
        lines.forEach((line, each) => context.fillText(fitting(context, line, TALL - 4), at.x + TALL / 2, at.y + TALL / 2 + 1 + (each - (lines.length - 1) / 2) * (tall + 2)));
      }
      context.restore();
      context.beginPath();
      context.roundRect(at.x, at.y, TALL, TALL, 9);
      const over = hovered?.column === number - 1 && hovered?.place === place;
      context.strokeStyle = over ? ink("accent") : ink("soft");
      context.globalAlpha = over ? 1 : 0.5;
      context.lineWidth = over ? 2.5 : 1;
      context.stroke();
      context.globalAlpha = 1;
      if (place === 15 && columns[number].units > 16) { context.fillStyle = ink("soft"); context.font = "11px system-ui"; context.fillText(`+${columns[number].units - 16}`, at.x + TALL / 2, at.y + TALL + 8); }
    }));
  }

  function curve(context, line, place, at) {
    const count = line.shape[1], values = line.subarray(place * count, (place + 1) * count);
    const most = values.reduce((found, value) => Math.max(found, Math.abs(value)), 1e-9);
    context.beginPath();
    values.forEach((value, step) => context.lineTo(at.x + (step / (count - 1)) * TALL, at.y + TALL / 2 - (value / most) * (TALL / 2 - 3)));
    context.strokeStyle = CLASSES[1];
    context.lineWidth = 1.8;
    context.stroke();
  }

  diagram.addEventListener("pointermove", (event) => {
    const box = diagram.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const over = places.flat().find((at) => x >= at.x && x <= at.x + TALL && y >= at.y && y <= at.y + TALL), found = over?.column >= 0 ? over : null;
    diagram.title = over?.column === -1 ? inputs()[over.place] : "";
    if (found?.column === hovered?.column && found?.place === hovered?.place) return;
    hovered = found;
    onhover(found);
    draw();
  });
  diagram.addEventListener("pointerleave", () => { if (hovered) { hovered = null; onhover(null); draw(); } });
  onTheme(draw);

  lab.on("chosen", (chosen) => {
    if (document.activeElement !== notation) { notation.value = chosen.choices.network; grow(); }
    said.className = "said";
    said.textContent = chosen.notes.join(" ");
    count.textContent = `${chosen.parameters.toLocaleString("en")} parameters`;
    heads.parentElement.style.setProperty("--columns", chosen.columns.length + 1);
    refill(heads, h("div", { className: "head" }, h("div", { className: "units" }, first)), ...chosen.columns.map(head));
    diagram.setAttribute("aria-label", `A network of ${chosen.columns.length} columns of units: ${chosen.choices.network}`);
    inspect();
    draw();
  });
  lab.on("refused", ({ field, message }) => {
    if (field !== "network") return;
    card?.restore();
    said.className = "said wrong";
    said.textContent = message;
  });
  lab.on("picture", draw);
  for (const kind of ["examples", "gallery"]) lab.on(kind, () => { first.textContent = lab.gallery ? "image" : "inputs"; draw(); });
  return { element, resize: () => { grow(); draw(); card?.resize(); } };
}
