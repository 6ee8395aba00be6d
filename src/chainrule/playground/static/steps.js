// The view in which one example goes forwards and backwards, with its numbers in the formulas.

import { h, shown, throttled } from "./dom.js";
import { drawOutput, fitted } from "./drawing.js";
import { runBar } from "./learn.js";
import { ink, onTheme } from "./theme.js";

const number = (value, kind = "") => h("span", { className: `n ${kind}` }, value === null || value === undefined ? "–" : Math.abs(value) < 5e-5 && value !== 0 ? shown(value, 2) : value.toFixed(Math.abs(value) >= 100 ? 1 : 3).replace("-", "−"));
const bracketed = (value, kind) => (value < 0 ? ["(", number(value, kind), ")"] : [number(value, kind)]);
const sub = (letter, ...places) => h("span", {}, h("i", {}, letter), h("sub", {}, places.join(",")));
const slope = (of, by) => h("span", { className: "fraction" }, h("span", {}, "∂", of), h("span", {}, "∂", by));
const line = (...parts) => h("p", { className: "worked" }, parts);

const mathematics = (shownOnes) => shownOnes.map(({ mathml, remark }) => { const row = h("div", { className: "equation" }); row.innerHTML = mathml; return remark ? h("div", {}, h("span", { className: "remark" }, `${remark}: `), row) : row; });

function dense(layer) {
  const { parameters: { kernel, bias }, gradients, inputs, outputs, above, below } = layer;
  return [
    outputs.map((output, unit) => line(sub("y", unit + 1), " = ", inputs.map((x, place) => [place ? " + " : "", ...bracketed(x, "x"), " · ", ...bracketed(kernel[place][unit], "w")]), bias ? [" + ", ...bracketed(bias[unit], "w")] : "", " = ", number(output, "y"))),
    above && [
      h("h4", {}, "its weights: the input times what comes back"),
      h("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "Gradients of the weights" }, h("table", { className: "matrix" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, slope("J", "w")), above.map((delta, unit) => h("th", { scope: "col" }, slope("J", sub("y", unit + 1)), " = ", number(delta, "d"))))),
        h("tbody", {}, gradients.kernel.map((row, place) => h("tr", {}, h("th", { scope: "row" }, sub("x", place + 1), " = ", number(inputs[place], "x")), row.map((value) => h("td", {}, number(value, "d"))))),
          gradients.bias ? h("tr", {}, h("th", { scope: "row" }, "1, of the bias"), gradients.bias.map((value) => h("td", {}, number(value, "d")))) : null))),
      below && [h("h4", {}, "its inputs: the chain rule, over all units"), below.map((delta, place) => line(slope("J", sub("x", place + 1)), " = ", above.map((each, unit) => [unit ? " + " : "", ...bracketed(kernel[place][unit], "w"), " · ", ...bracketed(each, "d")]), " = ", number(delta, "d")))],
    ],
  ];
}

function activation(layer) {
  const { inputs, outputs, slope: slopes, above, below } = layer;
  return [
    outputs.map((output, unit) => line(h("i", {}, "f"), "(", number(inputs[unit], "x"), ") = ", number(output, "y"))),
    above && below && slopes.map((each, unit) => line(slope("J", sub("x", unit + 1)), " = ", slope("J", sub("y", unit + 1)), " · ", h("i", {}, "f′"), "(", number(inputs[unit], "x"), ") = ", ...bracketed(above[unit], "d"), " · ", ...bracketed(each, "w"), " = ", number(below[unit], "d"))),
  ];
}

const plain = ({ inputs, outputs, below }) => [
  [line("from ", inputs.map((value, place) => [place ? ", " : "", number(value, "x")])), line("to ", outputs.map((value, place) => [place ? ", " : "", number(value, "y")]))],
  below && [line(slope("J", "x"), " = ", below.map((value, place) => [place ? ", " : "", number(value, "d")]))],
];

function card(layer, place) {
  const [forwards, backwards] = layer.parameters ? dense(layer) : layer.slope ? activation(layer) : plain(layer);
  return h("li", { className: "card passage" }, h("h3", {}, h("span", { className: "muted" }, `${place + 1} `), h("code", {}, layer.notation)),
    h("div", { className: "mathematics", tabIndex: 0, role: "group", "aria-label": `The formula of ${layer.name}` }, mathematics(layer.equations)),
    h("div", { className: "both" },
      h("section", { tabIndex: 0, "aria-label": "forwards" }, h("h4", {}, "forwards →"), forwards),
      h("section", { tabIndex: 0, "aria-label": "backwards" }, h("h4", {}, "← backwards"), backwards ?? line(layer.above ? "The chain ends here: what comes in is data." : "Its gradient comes with its cost: see below."))),
    layer.units > layer.outputs.length ? h("p", { className: "note" }, `The first ${layer.outputs.length} of ${layer.units} units.`) : null);
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
  let at = 0, open = false, rows = 1;
  const go = (place) => { at = Math.min(Math.max(Number.isFinite(place) ? place : 0, 0), rows - 1); row.value = at + 1; ask(); };
  const ask = throttled(async () => {
    if (!open || !lab.link.isOpen) return;
    try {
      const found = await lab.link.ask({ do: "explain", row: at });
      said.textContent = "";
      rows = found.rows;
      row.max = rows;
      about.textContent = `Example ${found.row + 1} of ${rows}: ${found.layers[0].inputs.map((value, place) => `${found.names[place]} = ${shown(value)}`).join(", ")}; ${typeof found.target === "number" ? shown(found.target) : found.target} is expected. After ${found.steps} steps.`;
      list.replaceChildren(...found.layers.map(card), costCard(found));
      list.dataset.steps = found.steps;
      draw();
    } catch (error) {
      if (at > 0 && /example/i.test(error.message)) return go(0);
      said.textContent = error.message;
      list.replaceChildren();
    }
  }, 180);
  function draw() {
    map.hidden = lab.examples?.frame?.length !== 2;
    if (map.hidden || !map.isConnected) return;
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
