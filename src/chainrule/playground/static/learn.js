// The view in which one network learns.

import { h, icon, refill, shown, throttled, whole } from "./dom.js";
import { drawDistribution, drawHistory, drawImage, drawOutput, drawPixels, drawSketch, fitted } from "./drawing.js";
import { formulaCard, numberField } from "./formula.js";
import { networkCard } from "./network.js";
import { CLASSES, onTheme } from "./theme.js";

const PACES = [[0, "as fast as it goes"], [1000, "1,000 steps a second"], [200, "200 steps a second"], [50, "50 steps a second"], [10, "10 steps a second"], [2, "2 steps a second"]];

/** The buttons that run one lab or several, by what runs them, and how far the first one is. */
export function runBar(labs, run = labs[0]) {
  const lab = labs[0];
  const go = h("button", { className: "go", type: "button", onclick: () => run.toggle() });
  const step = h("button", { className: "round", type: "button", title: "One step ( . )", "aria-label": "One step", onclick: () => run.step() }, icon("step"));
  const epoch = h("button", { className: "round", type: "button", title: "One epoch ( e )", "aria-label": "One epoch", onclick: () => run.step(true) }, icon("epoch"));
  const again = h("button", { className: "round", type: "button", title: "Begin again ( r )", "aria-label": "Begin again", onclick: () => run.again() }, icon("again"));
  const figure = (name) => { const value = h("b", {}, "0"); return { value, element: h("div", { className: "figure" }, value, h("span", {}, name)) }; };
  const [epochs, steps, pace] = ["epoch", "steps", "steps a second"].map(figure);
  const speed = h("select", { id: "pace", onchange: () => labs.forEach((one) => one.choose({ pace: Number(speed.value) })) }, PACES.map(([value, text]) => h("option", { value }, text)));
  const seed = h("input", { type: "number", id: "seed", min: 0, max: 4294967295, onchange: () => seed.value !== "" && labs.forEach((one) => one.choose({ seed: Math.round(Number(seed.value)) })) });
  const show = () => {
    go.replaceChildren(icon(run.running ? "pause" : "run"));
    go.setAttribute("aria-label", run.running ? "Pause" : "Run");
    go.title = `${run.running ? "Pause" : "Run"} ( space )`;
  };
  const draw = () => {
    const picture = lab.picture;
    epochs.value.textContent = whole(picture?.epoch ?? 0);
    steps.value.textContent = whole(picture?.steps ?? 0);
    pace.value.textContent = picture?.pace ? whole(picture.pace) : "–";
  };
  for (const kind of ["runs", "chosen", "gone", "diverged", "refused"]) lab.on(kind, show);
  if (run !== lab) run.addEventListener("runs", show);
  lab.on("picture", draw);
  lab.on("refused", ({ field }) => { if (field === "seed") seed.value = lab.choices.seed; });
  lab.on("chosen", ({ choices, new: begun }) => {
    speed.value = String(choices.pace);
    seed.value = choices.seed;
    if (begun) draw();
  });
  speed.value = String(lab.choices.pace);
  seed.value = lab.choices.seed;
  show();
  draw();
  return h("div", { className: "bar" },
    h("div", { className: "buttons", role: "group", "aria-label": "Training" }, go, step, epoch, again),
    h("div", { className: "figures" }, epochs.element, steps.element, pace.element),
    h("div", { className: "right" }, h("label", { className: "inline" }, "speed", speed), h("label", { className: "inline" }, "seed", seed)));
}

function dataCard(lab) {
  const sets = h("div", { className: "sets", role: "group", "aria-label": "Points" }), buttons = {};
  for (const [name, { title, sketch }] of Object.entries(lab.offered.points)) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    buttons[name] = h("button", { type: "button", title, onclick: () => lab.choose({ data: name }) }, canvas, name.replace("checkerboard", "checker\u00adboard"));
    buttons[name].sketch = () => drawSketch(canvas, sketch);
    sets.append(buttons[name]);
  }
  const said = h("p", { className: "said", role: "status" });
  const number = (name, label, more) => numberField({ name, label, value: lab.choices[name], ...more }, (value) => lab.choose({ [name]: value }));
  const fields = {
    noise: number("noise", "noise", { low: 0, high: 1, scale: "linear", meaning: "the standard deviation of what is added to each point" }),
    rows: number("rows", "points", { low: 20, high: 2000, scale: "whole" }),
    test: number("test", "test part", { low: 0.1, high: 0.7, scale: "linear", meaning: "the part that is only measured on" }),
    batch: number("batch", "batch size", { low: 1, high: 256, scale: "whole", meaning: "examples a step" }),
  };
  const curve = h("input", { type: "text", id: "curve", className: "wide", spellcheck: false, oninput: throttled(() => lab.choose({ curve: curve.value }), 200) });
  const curved = h("div", { className: "field", hidden: true }, h("label", { htmlFor: "curve" }, "curve of x"), h("span"), curve);
  const named = h("select", { id: "named", "aria-label": "A set that travels along", className: "wide", onchange: () => named.value && lab.choose({ data: named.value }) }, h("option", { value: "" }, "a known data set …"), Object.entries(lab.offered.sets).map(([name, about]) => h("option", { value: name, title: about }, name)));
  const file = h("input", { type: "file", className: "hidden", accept: ".csv,.tsv,.parquet,.feather,.jsonl,.xlsx,.npz,.gz,.zip", onchange: () => { if (file.files[0]) lab.upload(file.files[0]); file.value = ""; } });
  const drop = h("label", { className: "drop" }, file, h("b", {}, "Your own data"), h("br"), "drop a CSV, a Parquet file or a folder or .zip of images here, or click");
  const folder = h("input", { type: "file", className: "hidden", webkitdirectory: true, "aria-label": "A folder of images", onchange: () => {
    const files = [...folder.files].map((each) => [each.webkitRelativePath, each]);
    if (files.length) lab.uploadFolder(files[0][0].split("/")[0], files);
    folder.value = "";
  } });
  const folders = h("label", { className: "note pointer" }, folder, "or choose a folder of images, a subfolder for each class");
  const columns = columnsCard(lab);
  for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind !== "drop" || !event.dataTransfer.files[0]) return;
    const entry = event.dataTransfer.items[0]?.webkitGetAsEntry?.();
    if (entry?.isDirectory) filesOf(entry).then((files) => lab.uploadFolder(entry.name, files));
    else lab.upload(event.dataTransfer.files[0]);
  });
  lab.on("chosen", ({ choices }) => {
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === choices.data));
    for (const [name, field] of Object.entries(fields)) field.show(choices[name]);
    fields.noise.element.hidden = fields.rows.element.hidden = !(choices.data in buttons);
    named.value = choices.data in lab.offered.sets ? choices.data : "";
    curved.hidden = !["halves", "line"].includes(choices.data);
    if (document.activeElement !== curve) curve.value = choices.curve;
    if (lab.parting && said.classList.contains("wrong")) return;
    said.textContent = choices.data in buttons ? lab.offered.points[choices.data].title : "";
    said.className = "said";
  });
  lab.on("examples", () => {
    const { name, rows, inputs, classes, shape, resized, filled } = lab.examples;
    if (!(name in buttons)) said.textContent = `${name}: ${whole(rows.train)} rows to train, ${whole(rows.test)} to test; ${shape.length === 3 ? `images ${resized ? "resized to" : "of"} ${shape[1]} × ${shape[0]} pixels` : `${inputs.length} input${inputs.length > 1 ? "s" : ""}`}${classes ? `, ${classes.length} classes` : ""}.${filled ? " Blank cells are filled with the median." : ""} All of it stays in memory.`;
  });
  lab.on("refused", ({ field, message }) => {
    if (!["data", "curve", "upload", "noise", "rows", "test", "batch", "target", "drop", "across", "up", "look"].includes(field)) return;
    fields[field]?.show(lab.choices[field]);
    said.className = "said wrong";
    said.textContent = message;
  });
  const draw = () => Object.values(buttons).forEach((button) => button.sketch());
  onTheme(draw);
  const element = h("section", { className: "card data" }, h("h2", {}, "Data"), sets, named, said, curved, columns, Object.values(fields).map((field) => field.element), drop, folders);
  return { element, resize: draw };
}

/** All files in a folder that was dropped, each with its path. */
async function filesOf(entry) {
  if (entry.isFile) return [[entry.fullPath.slice(1), await new Promise((found, failed) => entry.file(found, failed))]];
  const reader = entry.createReader(), found = [];
  for (let some; (some = await new Promise((read, failed) => reader.readEntries(read, failed))).length;) for (const each of some) found.push(...await filesOf(each));
  return found;
}

/** Of a table: which column is predicted, which inputs the axes show, and which columns are used. */
function columnsCard(lab) {
  const choice = (name, label) => {
    const select = h("select", { id: `column-${name}`, onchange: () => lab.choose({ [name]: select.value }) });
    return { select, element: h("div", { className: "field" }, h("label", { htmlFor: select.id }, label), select) };
  };
  const [target, across, up] = [choice("target", "predicts"), choice("across", "axis →"), choice("up", "axis ↑")];
  const used = h("div", { className: "used" }), many = h("details", {}, h("summary", { className: "note" }, "columns that are used"), used);
  const element = h("div", { hidden: true }, target.element, across.element, up.element, many);
  const fill = (select, names, chosen) => select.replaceChildren(...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
  const show = () => {
    const { table, inputs, axes, target: predicted, shape, flat } = lab.examples;
    element.hidden = !table.length || !flat;
    if (element.hidden) return;
    const dropped = lab.choices.drop.split("\n");
    fill(target.select, table, predicted);
    fill(across.select, inputs, inputs[axes[0]]);
    fill(up.select, inputs, inputs[axes.at(-1)]);
    across.element.hidden = shape.length === 3;
    up.element.hidden = inputs.length < 2 || shape.length === 3;
    refill(used, ...table.filter((name) => name !== predicted).slice(0, 100).map((name) => h("label", {}, h("input", { type: "checkbox", checked: !dropped.includes(name), onchange: ({ target: box }) => lab.choose({ drop: (box.checked ? dropped.filter((each) => each !== name) : [...dropped, name]).filter(Boolean).join("\n") }) }), name)));
  };
  lab.on("examples", show);
  lab.on("refused", ({ field }) => { if (["target", "drop", "across", "up"].includes(field) && lab.examples) show(); });
  return element;
}

/** Images to test with what the network makes of them; a click follows one through the network. */
function galleryCard(lab) {
  const grid = h("div", { className: "gallery", role: "group", "aria-label": "Images to test" }), about = h("p", { className: "note", role: "status" });
  const turn = (by) => () => { const { begin } = lab.gallery, next = begin + by; if (next >= 0 && next < lab.examples.rows.test) lab.look(next); };
  const element = h("div", { hidden: true }, grid, h("div", { className: "spread" }, h("button", { className: "quiet", type: "button", onclick: turn(-24) }, "previous"), h("button", { className: "quiet", type: "button", onclick: turn(24) }, "next"), about));
  let cells = [];
  lab.on("gallery", () => {
    const { row, begin, arrays: { images } } = lab.gallery;
    cells = Array.from({ length: images.shape[0] }, (_, place) => {
      const canvas = h("canvas", { "aria-hidden": "true" }), answer = h("span");
      const button = h("button", { type: "button", "aria-pressed": String(begin + place === row), onclick: () => lab.look(begin + place) }, canvas, answer);
      return { canvas, answer, button };
    });
    grid.replaceChildren(...cells.map((cell) => cell.button));
    requestAnimationFrame(draw);
  });
  const tell = () => {
    const answers = lab.picture?.arrays.answers, { classes } = lab.examples ?? {};
    if (!answers || !lab.gallery) return;
    const [, width] = answers.shape, { targets } = lab.gallery.arrays;
    let right = 0;
    cells.forEach(({ answer, button }, place) => {
      const own = [...answers.slice((place + 1) * width, (place + 2) * width)], best = own.indexOf(Math.max(...own)), good = best === targets[place];
      answer.textContent = classes ? classes[best] : shown(own[0], 2);
      button.classList.toggle("wrong", Boolean(classes) && !good);
      button.title = classes ? `It is ${classes[targets[place]]}; the network says ${classes[best]} (${shown(own[best], 2)})` : `It is ${shown(targets[place])}; the network says ${shown(own[0])}`;
      right += good;
    });
    about.textContent = classes ? `${right} of these ${cells.length} are right. Click one to follow it through the network.` : "Click one to follow it through the network.";
  };
  function draw() {
    cells.forEach(({ canvas }, place) => { const { context, width, height } = fitted(canvas); drawImage(context, lab.gallery.arrays.images, place, 0, 0, width, height); });
    tell();
  }
  lab.on("picture", tell);
  lab.on("examples", () => { element.hidden = lab.examples.shape.length !== 3; });
  return { element, resize: () => lab.gallery && !element.hidden && draw() };
}

/** What the units of a layer look for: their weights as images, a column for each unit, a row for each channel. */
export function kernelsCard(lab) {
  const canvas = h("canvas", { className: "kernels", role: "img", "aria-label": "Kernels" }), which = h("select", { id: "kernels-of", "aria-label": "Kernels of", onchange: () => draw() });
  const element = h("section", { className: "card", hidden: true }, h("h2", {}, "Kernels", which), canvas, h("p", { className: "note" }, "What each unit looks for: blue weights below 0, orange ones above. A column for each unit, a row for each channel that it sees."));
  const draw = () => {
    const kernels = lab.picture?.arrays[`kernels${which.value}`];
    if (element.hidden || !kernels || !canvas.isConnected) return;
    const [channels, units, high, wide] = kernels.shape, { clientWidth: room } = canvas, side = Math.min(room / units - 3, 64), tall = (side * high) / wide;
    canvas.style.height = `${Math.ceil(channels * (tall + 3))}px`;
    const { context } = fitted(canvas), size = high * wide;
    for (let channel = 0; channel < channels; channel++) for (let unit = 0; unit < units; unit++) {
      const begin = (channel * units + unit) * size;
      drawPixels(context, kernels.subarray(begin, begin + size), 0, unit * (side + 3), channel * (tall + 3), side, tall, 1, false, [1, high, wide]);
    }
    canvas.setAttribute("aria-label", `The kernels of ${units} units over ${channels} channels, each of ${wide} × ${high}`);
  };
  lab.on("chosen", ({ columns, network }) => {
    const chosen = which.value, found = columns.map((column, number) => [column, number]).filter(([column]) => column.kernels);
    which.replaceChildren(...found.map(([column, number]) => h("option", { value: number }, network[column.first].notation)));
    if (found.some(([, number]) => String(number) === chosen)) which.value = chosen;
    element.hidden = !found.length;
  });
  lab.on("picture", draw);
  onTheme(draw);
  return { element, resize: draw };
}

export function outputCard(lab, title = "Output") {
  const map = h("canvas", { className: "map", role: "img", "aria-label": "The network's output" }), legend = h("div", { className: "legend" }), said = h("p", { className: "said wrong", role: "alert" });
  const seen = galleryCard(lab), heading = h("span", {}, title), cost = h("span", { className: "muted" });
  const element = h("section", { className: "card output" }, h("h2", {}, heading, cost), map, seen.element, legend, said);
  let unit = null;
  const draw = () => {
    map.hidden = !lab.examples?.frame;
    drawOutput(map, lab, unit);
  };
  lab.on("picture", () => {
    draw();
    const row = lab.history.at(-1), accuracy = row?.validation_accuracy;
    cost.textContent = row ? `test ${accuracy !== undefined && accuracy !== null ? `accuracy ${shown(accuracy)}` : `cost ${shown(row.validation_cost)}`}` : "";
    map.setAttribute("aria-label", `The network's output for ${lab.examples?.name}, after ${lab.picture.steps} steps${row ? `; test cost ${shown(row.validation_cost)}` : ""}`);
  });
  const name = () => {
    const { classes, frame, inputs, axes } = lab.examples;
    legend.replaceChildren(...(classes ?? []).slice(0, 8).map((name, place) => h("span", {}, h("i", { style: `background:${CLASSES[place]}` }), name)),
      ...(classes ? [] : [h("span", {}, h("i", { style: `background:${CLASSES[0]}` }), frame?.length === 1 ? "examples" : "below 0"), h("span", {}, h("i", { style: `background:${CLASSES[1]}` }), frame?.length === 1 ? "fitted curve" : "above 0")]),
      h("span", {}, h("i", { className: "test" }), "to test"),
      h("span", {}, frame?.length === 2 && inputs.length > 2 ? `${inputs[axes[0]]} →, ${inputs[axes[1]]} ↑; all other inputs at their mean` : ""));
    legend.hidden = !frame;
    draw();
  };
  lab.on("examples", name);
  if (lab.examples) name();
  lab.on("chosen", () => { said.textContent = ""; });
  lab.on("runs", () => { if (lab.running) said.textContent = ""; });
  lab.on("diverged", ({ message }) => { said.textContent = message; });
  lab.on("refused", ({ field, message }) => { if (field === null || ["run", "step", "cost", "optimizer", "regularizer", "seed", "pace", "choose"].includes(field)) said.textContent = message; });
  onTheme(draw);
  return { element, resize: () => { draw(); seen.resize(); }, hover: (found) => { unit = found; heading.textContent = found ? `Unit ${found.place + 1} of column ${found.column + 1}` : title; draw(); } };
}

export function curvesCard(lab) {
  const cost = h("canvas", { className: "plot", role: "img", "aria-label": "Cost" }), metric = h("canvas", { className: "plot", role: "img", "aria-label": "Metric" });
  const name = h("h2", {}, h("span"));
  const log = h("input", { type: "checkbox", id: "log", onchange: () => draw() });
  const element = h("section", { className: "card" },
    h("h2", {}, "Cost", h("label", { className: "inline", style: "text-transform:none;letter-spacing:0;font-weight:400" }, log, "logarithmic")), cost, name, metric,
    h("div", { className: "legend" }, h("span", {}, h("i", { className: "line", style: "background:var(--blue)" }), "training"), h("span", {}, h("i", { className: "line", style: "background:var(--orange)" }), "test")));
  const draw = () => {
    const row = lab.history.at(-1) ?? {}, other = Object.keys(row).find((key) => !["epoch", "cost"].includes(key) && !key.startsWith("validation_"));
    drawHistory(cost, lab.history, "cost", { log: log.checked });
    metric.hidden = name.hidden = !other;
    name.firstChild.textContent = other ?? "";
    if (other) drawHistory(metric, lab.history, other, other === "accuracy" ? { unit: 1 } : {});
    cost.setAttribute("aria-label", `Cost over ${lab.history.length} epochs: ${shown(row.cost)} in training, ${shown(row.validation_cost)} in test`);
    metric.setAttribute("aria-label", `${other}: ${shown(row[other])} in training, ${shown(row[`validation_${other}`])} in test`);
  };
  lab.on("picture", draw);
  lab.on("chosen", ({ new: begun }) => begun && draw());
  onTheme(draw);
  return { element, resize: draw };
}

export function layersCard(lab) {
  const rows = h("tbody"), element = h("section", { className: "card" }, h("h2", {}, "Inside"),
    h("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "Each layer's figures" }, h("table", { className: "layers" },
      h("thead", {}, h("tr", {}, ["layer", "outputs", "size of gradient", "dead units", "weights that are 0"].map((name) => h("th", { scope: "col" }, name)))), rows)),
    h("p", { className: "note" }, "The distribution of each layer's outputs, and the root mean square of the gradient that comes back to them, over powers of ten: where it shrinks from layer to layer it vanishes, where it grows it explodes. A dead unit is 0 for every example."));
  let cells = [];
  lab.on("chosen", ({ network }) => {
    cells = network.map((layer) => {
      const cell = { bars: h("canvas", { role: "img", "aria-label": "outputs" }), range: h("span", { className: "muted" }), meter: h("i"), gradient: h("span"), dead: h("span"), zeros: h("span") };
      cell.row = h("tr", {}, h("td", {}, layer.notation), h("td", {}, h("div", { className: "pair" }, cell.bars, cell.range)), h("td", {}, h("div", { className: "pair" }, h("div", { className: "meter" }, cell.meter), cell.gradient)), h("td", {}, cell.dead), h("td", {}, cell.zeros));
      return cell;
    });
    rows.replaceChildren(...cells.map((cell) => cell.row));
  });
  const draw = () => lab.picture?.layers.forEach((layer, place) => {
    const cell = cells[place];
    if (!cell) return;
    drawDistribution(cell.bars, layer);
    cell.bars.setAttribute("aria-label", `outputs from ${shown(layer.low)} to ${shown(layer.high)}`);
    cell.range.textContent = `${shown(layer.low, 2)} … ${shown(layer.high, 2)}`;
    const power = layer.gradient > 0 ? Math.min(Math.max((Math.log10(layer.gradient) + 8) / 10, 0), 1) : 0;
    cell.meter.style.width = `${100 * power}%`;
    cell.gradient.textContent = layer.gradient === null ? "with its cost" : shown(layer.gradient, 2);
    cell.dead.textContent = layer.dead ? whole(layer.dead) : "–";
    cell.dead.className = layer.dead ? "warn" : "muted";
    cell.zeros.textContent = layer.weights ? `${whole(layer.zeros)} of ${whole(layer.weights)}` : "–";
    cell.zeros.className = layer.zeros ? "" : "muted";
  });
  lab.on("picture", draw);
  onTheme(draw);
  return { element, resize: draw };
}

export function formulaCards(lab) {
  const card = (part, title, families, none) => formulaCard({ lab, title, families, none,
    pick: (value) => lab.choose({ [part]: value }), edit: (path, value) => lab.edit(part, path, value) });
  const cards = { optimizer: card("optimizer", "Optimizer", ["optimizers"]), cost: card("cost", "Cost", ["costs"], "the one of the last layer"), regularizer: card("regularizer", "Regulariser", ["regularizers", "constraints"], "none") };
  lab.on("chosen", (chosen) => Object.entries(cards).forEach(([part, each]) => each.show(chosen[part])));
  lab.on("refused", ({ field }) => cards[field]?.restore());
  return { element: h("div", { className: "formulas" }, Object.values(cards).map((each) => each.element)), resize: () => Object.values(cards).forEach((each) => each.resize()) };
}

export function learnView(lab) {
  const output = outputCard(lab), network = networkCard(lab, { onhover: (unit) => output.hover(unit) });
  const parts = [dataCard(lab), network, output, curvesCard(lab), layersCard(lab), formulaCards(lab), kernelsCard(lab)], [data, , , curves, layers, formulas, kernels] = parts;
  for (const [part, name] of [[data, "data"], [network, "network-card"], [layers, "inside"]]) part.element.classList.add(name);
  const element = h("div", {}, runBar([lab]), h("div", { className: "learn" }, data.element, network.element, h("div", { className: "stack right" }, output.element, kernels.element, curves.element), layers.element, formulas.element));
  return { element, resize: () => parts.forEach((part) => part.resize()) };
}
