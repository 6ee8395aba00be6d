// The view in which one example goes forwards and backwards, with its numbers in the formulas.

import { h, shown, throttled } from "./dom.js";
import { drawImage, drawOutput, drawPixels, fitted } from "./drawing.js";
import { runBar } from "./learn.js";
import { ink, onTheme } from "./theme.js";

const number = (value, kind = "") => h("span", { className: `n ${kind}` }, value === null || value === undefined ? "–" : Math.abs(value) < 5e-5 && value !== 0 ? shown(value, 2) : value.toFixed(Math.abs(value) >= 100 ? 1 : 3).replace("-", "−"));
const bracketed = (value, kind) => (value < 0 ? ["(", number(value, kind), ")"] : [number(value, kind)]);
const sub = (letter, ...places) => h("span", {}, h("i", {}, letter), h("sub", {}, places.join(",")));
const slope = (of, by) => h("span", { className: "fraction" }, h("span", {}, "∂", of), h("span", {}, "∂", by));
const line = (...parts) => h("p", { className: "worked" }, parts);

const mathematics = (shownOnes) => shownOnes.map(({ mathml, remark }) => { const row = h("div", { className: "equation" }); row.innerHTML = mathml; return remark ? h("div", {}, h("span", { className: "remark" }, `${remark}: `), row) : row; });

const total = (terms) => terms.map((term, place) => [place ? " + " : "", ...term]);
const place3 = ([row, column, channel]) => [row + 1, column + 1, channel + 1];
/** What the terms that are not written out add, if there are any. */
const others = (count, sum, kind) => (count > 0 ? [" + ", ...bracketed(sum, kind), h("span", { className: "remark" }, ` (${count} more)`)] : "");

function dense(layer) {
  const { parameters: { kernel, bias }, gradients, inputs, outputs, above, below, more } = layer;
  return [
    outputs.map((output, unit) => line(sub("y", unit + 1), " = ", total(inputs.map((x, place) => [...bracketed(x, "x"), " · ", ...bracketed(kernel[place][unit], "w")])), others(more.inputs, more.outputs[unit], "y"), bias ? [" + ", ...bracketed(bias[unit], "w")] : "", " = ", number(output, "y"))),
    above && [
      h("h4", {}, "its weights: the input times what comes back"),
      h("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "Gradients of the weights" }, h("table", { className: "matrix" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, slope("J", "w")), above.map((delta, unit) => h("th", { scope: "col" }, slope("J", sub("y", unit + 1)), " = ", number(delta, "d"))))),
        h("tbody", {}, gradients.kernel.map((row, place) => h("tr", {}, h("th", { scope: "row" }, sub("x", place + 1), " = ", number(inputs[place], "x")), row.map((value) => h("td", {}, number(value, "d"))))),
          gradients.bias ? h("tr", {}, h("th", { scope: "row" }, "1, of the bias"), gradients.bias.map((value) => h("td", {}, number(value, "d")))) : null))),
      below && [h("h4", {}, "its inputs: the chain rule, over all units"), below.map((delta, place) => line(slope("J", sub("x", place + 1)), " = ", total(above.map((each, unit) => [...bracketed(kernel[place][unit], "w"), " · ", ...bracketed(each, "d")])), others(more.units, more.below[place], "d"), " = ", number(delta, "d")))],
    ],
  ];
}

/** The numbers of a window as a small table; a dot stands for padding. */
const grid = (name, rows, kind, marked = null) => h("table", { className: "grid", "aria-label": name }, h("caption", {}, name), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value) => h("td", { className: marked !== null && value === marked ? "marked" : "" }, value === null ? "·" : number(value, kind)))))));

/** One output of a layer that sees its input through a window: what it makes of it, and what comes back. */
function windowed({ window: seen, unit }) {
  const { made, size, cells, channels, parts, rest, bias, value, delta, of_bias: ofBias, of_weight: ofWeight, of_input: ofInput } = seen, y = () => sub("y", ...place3(unit.at));
  const said = size.join(" × "), part = cells[0] < size[0] || cells[1] < size[1], more = channels - parts.length;
  const about = [made === "sum" ? `It sees ${said} places of ${channels} channel${channels > 1 ? "s" : ""}` : `It sees ${said} places of its channel`, part ? `, of which ${cells.join(" × ")} are shown` : "", more ? `; shown are the ${parts.length} channels that add most` : "", ":"].join("");
  const each = (tables) => parts.map((own) => h("div", { className: "grids", role: "group", tabIndex: 0, "aria-label": `Channel ${own.channel + 1}` }, made === "sum" ? h("span", { className: "remark" }, `channel ${own.channel + 1}`) : null, tables(own)));
  const gradients = (by, of) => h("div", { className: "grids", role: "group", tabIndex: 0, "aria-label": `Gradients by ${by}` }, parts.map((own) => grid(`∂J / ∂${by}, channel ${own.channel + 1}`, own[of], "d")));
  const largest = Math.max(...parts[0].x.flat().filter((x) => x !== null));
  const sums = parts.map((own) => bracketed(own.share, "y"));
  const formula = made === "max" ? ["the largest"] : made === "mean" ? ["the mean"] : [total(sums), part || more ? [" + ", ...bracketed(rest, "y"), h("span", { className: "remark" }, " (the rest)")] : "", bias === null ? "" : [" + ", ...bracketed(bias, "w"), h("span", { className: "remark" }, " (bias)")]];
  const chained = (of, { terms, more: left, rest: behind, total: all }, order) => line(slope("J", of), " = ", terms.length ? total(terms.map(([, factor, back]) => [...bracketed(factor, order), " · ", ...bracketed(back, "d")])) : "0", others(left, behind, "d"), " = ", number(all, "d"));
  return [
    [line(about), each((own) => [grid("what it sees", own.x, "x", made === "max" ? largest : null), made === "sum" ? [h("div", { className: "grids" }, "·", grid("kernel", own.weights, "w")), h("div", { className: "grids" }, "=", grid("product", own.products, "y"))] : null]), line(y(), " = ", formula, " = ", number(value, "y"))],
    delta === null ? null : [
      line(slope("J", y()), " = ", number(delta, "d"), " reaches it."),
      ofWeight && [h("h4", {}, "its kernel: over all places, the input times what comes back"), gradients("W", "gradients"), chained(sub("W", ...ofWeight.at.map((at) => at + 1)), ofWeight, "x"), ofBias === null ? "" : line("and that of the bias, over all places what comes back: ", number(ofBias, "d"))],
      ofInput && [h("h4", {}, "its inputs: over all outputs that see one, the weight times what comes back"), gradients("x", "below"), chained(sub("x", ...place3(ofInput.at)), ofInput, "w")],
    ],
  ];
}

function activation(layer) {
  const { inputs, outputs, slope: slopes, above, below, unit: at } = layer, places = (unit) => (at ? place3(at.at) : [unit + 1]);
  return [
    outputs.map((output, unit) => line(h("i", {}, "f"), "(", number(inputs[unit], "x"), ") = ", number(output, "y"))),
    above && below && slopes.map((each, unit) => line(slope("J", sub("x", ...places(unit))), " = ", slope("J", sub("y", ...places(unit))), " · ", h("i", {}, "f′"), "(", number(inputs[unit], "x"), ") = ", ...bracketed(above[unit], "d"), " · ", ...bracketed(each, "w"), " = ", number(below[unit], "d"))),
  ];
}

const plain = ({ name, inputs, outputs, below, other }) => [
  [other ? h("p", { className: "note" }, `What ${name} does in between is not written out here, only what goes in and what comes out.`) : "", line("from ", inputs.map((value, place) => [place ? ", " : "", number(value, "x")])), line("to ", outputs.map((value, place) => [place ? ", " : "", number(value, "y")]))],
  below && [line(slope("J", "x"), " = ", below.map((value, place) => [place ? ", " : "", number(value, "d")]))],
];

/** A channel of a layer's outputs, on which a click chooses the one that is followed, and fields that say which it is. */
function chooser({ unit: { at, of, shape } }, place, map, choose) {
  const canvas = h("canvas", { className: "channel", role: "img", "aria-label": `Layer ${place + 1}: channel ${at[2] + 1} of its outputs, the one that is followed in a ring`, hidden: shape[0] * shape[1] === 1 });
  canvas.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect(), [row, column] = [(event.clientY - box.top) / box.height * shape[0], (event.clientX - box.left) / box.width * shape[1]];
    choose(of, [Math.min(Math.floor(row), shape[0] - 1), Math.min(Math.floor(column), shape[1] - 1), at[2]]);
  });
  const draw = () => {
    const { context, width, height } = fitted(canvas), [cell, high] = [width / shape[1], height / shape[0]];
    drawPixels(context, map, 0, 0, 0, width, height, 0.9, false);
    context.strokeStyle = ink("ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc((at[1] + 0.5) * cell, (at[0] + 0.5) * high, Math.max(Math.min(cell, high) / 2, 5), 0, 2 * Math.PI);
    context.stroke();
  };
  const fields = ["row", "column", "channel"].map((name, axis) => h("label", { className: "inline" }, name, h("input", { type: "number", id: `unit${place}${name}`, min: 1, max: shape[axis], value: at[axis] + 1, onchange: ({ target }) => {
    const value = Math.round(Number(target.value)) - 1;
    choose(of, at.map((own, each) => (each === axis && Number.isFinite(value) ? Math.min(Math.max(value, 0), shape[axis] - 1) : own)));
  } }), h("span", { className: "muted" }, `of ${shape[axis]}`)));
  return { draw, element: h("div", { className: "chooser" }, canvas, h("div", { className: "fields", role: "group", "aria-label": `Layer ${place + 1}: the output that is followed` }, fields)) };
}

function card(layer, place, chosen) {
  const [forwards, backwards] = layer.parameters ? dense(layer) : layer.window ? windowed(layer) : layer.slope ? activation(layer) : plain(layer);
  return h("li", { className: "card passage" }, h("h3", {}, h("span", { className: "muted" }, `${place + 1} `), h("code", {}, layer.notation)),
    h("div", { className: "mathematics", tabIndex: 0, role: "group", "aria-label": `The formula of ${layer.name}` }, mathematics(layer.equations)),
    chosen?.element,
    h("div", { className: "both" },
      h("section", { tabIndex: 0, "aria-label": "forwards" }, h("h4", {}, "forwards →"), forwards),
      h("section", { tabIndex: 0, "aria-label": "backwards" }, h("h4", {}, "← backwards"), backwards ?? line(layer.above ? "The chain ends here: what comes in is data." : "Its gradient comes with its cost: see below."))),
    layer.unit ? h("p", { className: "note" }, `One of ${layer.units} outputs.`) : layer.units > layer.outputs.length ? h("p", { className: "note" }, `The first ${layer.outputs.length} of ${layer.units} units.`) : null);
}

function costCard({ cost, layers, expected, target }) {
  const last = layers.at(-1), behind = last.above === null;
  const back = behind ? last.below : last.above, letter = behind ? "z" : "a";
  return h("li", { className: "card passage" }, h("h3", {}, h("code", {}, cost.notation)),
    h("div", { className: "both" },
      h("section", { tabIndex: 0, "aria-label": "the cost" }, h("h4", {}, "forwards →"), mathematics(cost.equations), line("of ", last.outputs.map((value, place) => [place ? ", " : "", sub("a", place + 1), " = ", number(value, "y")])),
        line("and ", expected.map((value, place) => [place ? ", " : "", sub("E", place + 1), " = ", number(value, "x")]), `, since it is ${typeof target === "number" ? shown(target) : target}`), line(h("i", {}, "J"), " = ", number(cost.value, "d"))),
      h("section", { tabIndex: 0, "aria-label": "the gradient of the cost" }, h("h4", {}, "← backwards"), mathematics(cost.derivatives), (back ?? []).map((value, place) => line(slope("J", sub(letter, place + 1)), " = ",
        behind && cost.derivatives.length && last.outputs.length === expected.length && Math.abs(last.outputs[place] - expected[place] - value) < 1e-4 ? [number(last.outputs[place], "y"), " − ", number(expected[place], "x"), " = "] : "", number(value, "d"))))));
}

export function stepsView(lab) {
  const list = h("ol", { className: "passages" }), said = h("p", { className: "said wrong", role: "alert" });
  const map = h("canvas", { className: "map", role: "img", "aria-label": "The examples, with the one that is followed in a ring" });
  const row = h("input", { type: "number", id: "row", min: 1, value: 1, onchange: () => go(Math.round(Number(row.value)) - 1) });
  const about = h("p", { className: "note" });
  let at = 0, open = false, rows = 1, image = null, choosers = [], units = {}, network = "";
  const choose = (place, unit) => { units = { ...units, [place]: unit }; ask(); };
  const go = (place) => { at = Math.min(Math.max(Number.isFinite(place) ? place : 0, 0), rows - 1); row.value = at + 1; ask(); };
  const ask = throttled(async () => {
    if (!open || !lab.link.isOpen) return;
    const { network: latest } = lab.choices;
    if (network !== latest) [units, network] = [{}, latest];
    try {
      const found = await lab.link.ask({ do: "explain", row: at, units });
      said.textContent = "";
      rows = found.rows;
      row.max = rows;
      image = found.arrays.image ?? null;
      const inputs = image ? "" : ` ${found.layers[0].inputs.map((value, place) => `${found.names[place]} = ${shown(value)}`).join(", ")};`;
      about.textContent = `Example ${found.row + 1} of ${rows}:${inputs} ${typeof found.target === "number" ? shown(found.target) : found.target} is expected. After ${found.steps} steps.`;
      choosers = found.layers.map((layer, place) => layer.unit && chooser(layer, place, found.arrays[`map${place}`], choose));
      const focused = document.activeElement?.id;
      list.replaceChildren(...found.layers.map((layer, place) => card(layer, place, choosers[place])), costCard(found));
      if (focused?.startsWith("unit")) document.getElementById(focused)?.focus();
      list.dataset.steps = found.steps;
      draw();
    } catch (error) {
      if (at > 0 && /example/i.test(error.message)) return go(0);
      said.textContent = error.message;
      list.replaceChildren();
    }
  }, 180);
  function draw() {
    for (const each of choosers) each?.draw();
    map.hidden = !image && lab.examples?.frame?.length !== 2;
    if (map.hidden || !map.isConnected) return;
    map.style.aspectRatio = image ? `${image.shape[2]} / ${image.shape[1]}` : "";
    map.setAttribute("aria-label", image ? "The image that is followed" : "The examples, with the one that is followed in a ring");
    if (image) {
      const { context, width, height } = fitted(map);
      return drawImage(context, image, 0, 0, 0, width, height);
    }
    drawOutput(map, lab);
    const { frame: [[left, right], [bottom, top]], arrays } = lab.examples, { clientWidth: width, clientHeight: height } = map, context = map.getContext("2d");
    const [x, y] = [arrays.train_x[2 * at], arrays.train_x[2 * at + 1]];
    context.beginPath();
    context.arc(((x - left) / (right - left)) * width, (1 - (y - bottom) / (top - bottom)) * height, 10, 0, 2 * Math.PI);
    context.strokeStyle = ink("ink");
    context.lineWidth = 3;
    context.stroke();
  }
  map.addEventListener("click", (event) => {
    if (image) return;
    const { frame: [[left, right], [bottom, top]], arrays } = lab.examples, box = map.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    let best = 0, least = Infinity;
    for (let each = 0; each < arrays.train_y.length; each++) {
      const far = Math.hypot((arrays.train_x[2 * each] - left) / (right - left) - place[0], 1 - (arrays.train_x[2 * each + 1] - bottom) / (top - bottom) - place[1]);
      if (far < least) [best, least] = [each, far];
    }
    go(best);
  });
  for (const kind of ["picture", "examples"]) lab.on(kind, () => open && ask());
  onTheme(() => open && draw());
  const element = h("div", {}, runBar([lab]), h("div", { className: "steps" },
    h("aside", { className: "card" }, h("h2", {}, "One example"), map, h("div", { className: "spread" }, h("button", { className: "quiet", type: "button", onclick: () => go(at - 1) }, "previous"), h("label", { className: "inline" }, "number", row), h("button", { className: "quiet", type: "button", onclick: () => go(at + 1) }, "next")), about, said,
      h("p", { className: "legend key" }, h("span", { className: "n x" }, "inputs"), h("span", { className: "n w" }, "weights and slopes"), h("span", { className: "n y" }, "outputs"), h("span", { className: "n d" }, "gradients")),
      h("p", { className: "note" }, "Every network is a composition of formulas, and every gradient is the chain rule. The numbers are those of the network in Learn, as it stands; make a step and they change.")), list));
  return { element, enter() { open = true; ask(); }, leave() { open = false; }, resize: draw };
}
