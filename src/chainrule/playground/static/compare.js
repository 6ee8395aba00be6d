// The view in which two networks learn beside each other, from the same first values, rows and batches.

import { h, shown } from "./dom.js";
import { drawLines } from "./drawing.js";
import { DEFAULTS, Lab } from "./lab.js";
import { outputCard, runBar } from "./learn.js";
import { networkCard } from "./network.js";
import { picker } from "./formula.js";
import { ink, onTheme } from "./theme.js";

const SHARED = ["data", "rows", "noise", "curve", "test", "batch", "epochs", "seed", "pace"];

export function compareView(lab) {
  const place = h("div");
  let other = null, resize = () => {};
  function build() {
    const labs = [lab, other], plot = h("canvas", { className: "plot", style: "height:13rem", role: "img" });
    const draw = () => {
      const name = lab.history.at(-1)?.validation_cost !== undefined ? "validation_cost" : "cost";
      const colours = [ink("blue"), ink("orange")];
      drawLines(plot, labs.map((one, at) => ({ values: one.history.filter((row) => row[name] !== null && row[name] !== undefined).map((row) => [row.epoch, row[name]]), colour: colours[at], dash: at ? [6, 4] : [] })).filter((each) => each.values.length));
      plot.setAttribute("aria-label", `Test cost over the epochs: ${labs.map((one, at) => `${"AB"[at]} ${shown(one.history.at(-1)?.[name])}`).join(", ")}`);
    };
    const sides = labs.map((one, at) => {
      const output = outputCard(one, "AB"[at]), network = networkCard(one, { label: `Network ${"AB"[at]}`, id: `notation${at}`, onhover: (unit) => output.hover(unit) });
      const optimizer = h("div", { className: "card formula" });
      one.on("chosen", ({ optimizer: found }) => optimizer.replaceChildren(h("h2", {}, `Optimizer ${"AB"[at]}`, h("code", { className: "muted" }, found.notation)), picker({ lab, families: ["optimizers"], chosen: found.name, label: `Optimizer ${"AB"[at]}`, onpick: (value) => one.choose({ optimizer: value }) })));
      one.on("picture", draw);
      return { element: h("div", { className: "stack" }, output.element, network.element, optimizer), resize() { output.resize(); network.resize(); } };
    });
    onTheme(draw);
    place.replaceChildren(runBar(labs), h("section", { className: "card", style: "margin-bottom:1.2rem" }, h("h2", {}, "Test cost"), plot,
      h("div", { className: "legend" }, h("span", {}, h("i", { className: "line", style: "background:var(--blue)" }), "A"), h("span", {}, h("i", { className: "line", style: "background:var(--orange)" }), "B, dashed"), h("span", {}, "Both see the same batches in the same order, and layers that are alike begin with the same numbers."))), h("div", { className: "versus" }, sides.map((side) => side.element)));
    resize = () => { sides.forEach((side) => side.resize()); draw(); };
    lab.begin();
    other.begin();
    setTimeout(resize);
  }
  lab.on("chosen", ({ choices }) => {
    if (!other?.chosen || SHARED.every((name) => other.choices[name] === choices[name])) return;
    other.choose(Object.fromEntries(SHARED.map((name) => [name, choices[name]])));
  });
  return {
    element: place,
    enter() {
      if (other) return;
      other = new Lab({ ...DEFAULTS, ...lab.choices, network: "Dense(6) >> ReLU() >> Dense(4) >> ReLU()" });
      other.offered = lab.offered;
      other.on("open", build);
    },
    leave() { lab.pause(); other?.pause(); },
    resize: () => resize(),
  };
}
