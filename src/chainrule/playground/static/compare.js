// The view in which networks learn beside each other, step by step, from the same first values, rows and batches.

import { h, shown } from "./dom.js";
import { drawLines } from "./drawing.js";
import { DEFAULTS, Lab } from "./lab.js";
import { outputCard, runBar } from "./learn.js";
import { networkCard } from "./network.js";
import { picker } from "./formula.js";
import { CLASSES, isDark, onTheme } from "./theme.js";

const SHARED = ["data", "rows", "noise", "curve", "target", "drop", "across", "up", "test", "batch", "epochs", "seed", "pace"];
const LETTERS = "ABCD", DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]], LINES = ["", "dashed", "dotted", "dashed and dotted"];
const ROUND = 120;  // milliseconds in which all do the same steps

/** What of a network is its own, and how many there are at most. */
export const OWN = ["network", "optimizer", "cost", "regularizer"], MOST = LETTERS.length;

const colour = (place) => (isDark() ? ["#6cb8ea", "#f0a63c", "#5fd3ae", "#e39bc2"] : [CLASSES[0], "#c25700", "#00795a", "#a8487f"])[place];

/** How many steps of its training are seen. */
const stepsOf = ({ picture, chosen }) => (picture && picture.training === chosen?.training ? picture.steps : 0);

/** Labs that go together: who is behind catches up, then all do as many steps and are seen when all have done them. */
class Together extends EventTarget {
  constructor(labs) { super(); this.labs = labs; this.running = this.on = false; this.steps = 1; this.runs = 0; }

  toggle() { this.running ? this.pause() : this.run(); }
  step(epoch) { this.labs.forEach((one) => one.step(epoch)); }
  again() { this.labs.forEach((one) => one.again()); }
  pause() { this.running = false; this.dispatchEvent(new Event("runs")); }
  /** On and on, or only until none is behind. */
  async run(on = true) {
    for (const one of this.labs) if (one.onward) one.pause();  // which went alone
    this.on = on || (this.running && this.on);
    if (this.running) return;
    const own = ++this.runs;
    this.running = true;
    this.dispatchEvent(new Event("runs"));
    while (this.running && this.runs === own) {
      const began = performance.now(), front = Math.max(...this.labs.map(stepsOf)), behind = this.labs.filter((one) => stepsOf(one) < front);
      if (!this.on && !behind.length) return this.pause();
      const until = (one) => (behind.length ? Math.min(stepsOf(one) + this.steps, front) : front + this.steps);
      await Promise.all((behind.length ? behind : this.labs).map((one) => this.reached(one, until(one))));
      const took = performance.now() - began, pace = this.labs[0].choices.pace;
      if (took < ROUND) this.steps *= 2;
      else if (took > 2.5 * ROUND) this.steps = Math.max(Math.floor(this.steps / 2), 1);
      if (pace) this.steps = Math.min(this.steps, Math.max(Math.round(pace / 5), 1));
    }
  }
  /** As soon as a lab has done so many steps and is seen there, or begins anew; a lab that can't ends the run. */
  reached(one, until) {
    return new Promise((resolve) => {
      const look = () => {
        if (this.running && stepsOf(one) < until) return;
        ended();
      };
      const stop = () => { this.pause(); ended(); };
      const ended = () => { one.removeEventListener("picture", look); one.removeEventListener("chosen", ended); for (const kind of STOPS) one.removeEventListener(kind, stop); resolve(); };
      const STOPS = ["refused", "diverged", "gone"];
      one.addEventListener("chosen", ended);  // another training, or the same with other numbers
      one.addEventListener("picture", look);
      for (const kind of STOPS) one.addEventListener(kind, stop);
      one.run(until);
    });
  }
}

export function compareView(lab) {
  const bar = h("div"), sides = h("div", { className: "versus" }), legend = h("div", { className: "legend" });
  const plot = h("canvas", { className: "plot", style: "height:13rem", role: "img", "aria-label": "Test cost over the epochs" });
  const more = h("button", { className: "quiet", type: "button", onclick: () => add({ ...own(lab.choices), network: "Dense(6) >> ReLU() >> Dense(4) >> ReLU()" }, true) }, "+ network");
  let labs = [lab], cards = [], together = null, entered = false, open = false;

  const own = (choices) => Object.fromEntries(OWN.map((name) => [name, choices[name]]));
  const shared = (choices) => Object.fromEntries(SHARED.map((name) => [name, choices[name]]));
  const name = () => (lab.history.at(-1)?.validation_cost !== undefined ? "validation_cost" : "cost");
  const draw = () => {
    const of = name();
    drawLines(plot, labs.map((one, at) => ({ values: one.history.filter((row) => row[of] !== null && row[of] !== undefined).map((row) => [row.epoch, row[of]]), colour: colour(at), dash: DASHES[at] })).filter((each) => each.values.length));
    plot.setAttribute("aria-label", `Test cost over the epochs: ${labs.map((one, at) => `${LETTERS[at]} ${shown(one.history.at(-1)?.[of])}`).join(", ")}`);
  };
  const tell = () => { lab.others = labs.slice(1).map((one) => own(one.choices)); lab.tell("others"); };

  function card(one, at) {
    const output = outputCard(one, LETTERS[at]), network = networkCard(one, { label: `Network ${LETTERS[at]}`, id: `notation${at}`, onhover: (unit) => output.hover(unit) });
    const optimizer = h("div", { className: "card formula" });
    const fill = ({ optimizer: found }) => optimizer.replaceChildren(h("h2", {}, `Optimizer ${LETTERS[at]}`, h("code", { className: "muted" }, found.notation)), picker({ lab, families: ["optimizers"], chosen: found.name, label: `Optimizer ${LETTERS[at]}`, onpick: (value) => one.choose({ optimizer: value }) }));
    one.on("chosen", fill);
    if (at) one.on("chosen", tell);
    one.on("picture", draw);
    const away = at ? h("button", { className: "quiet", type: "button", onclick: () => remove(one) }, `take ${LETTERS[at]} away`) : null;
    return { element: h("div", { className: "stack" }, output.element, network.element, optimizer, away), resize() { output.resize(); network.resize(); } };
  }
  /** What runs goes on, and who is new catches up. */
  function build(on = together.running) {
    together?.pause();
    together = new Together(labs);
    bar.replaceChildren(runBar(labs, together));
    cards = labs.map((one, at) => (at ? card(one, at) : cards[0] ?? card(one, at)));
    sides.replaceChildren(...cards.map((each) => each.element));
    legend.replaceChildren(...labs.map((_, at) => h("span", {}, h("i", { className: "line", style: `background:${colour(at)}` }), [LETTERS[at], LINES[at]].filter(Boolean).join(", "))), h("span", {}, "All see the same batches in the same order, and layers that are alike begin with the same numbers."));
    more.disabled = labs.length >= MOST;
    for (const one of labs) one.retell();
    together.run(on);
    setTimeout(resize);
  }
  function add(choices, built = false) {
    const one = new Lab({ ...DEFAULTS, ...choices, ...shared(lab.choices) });
    one.offered = lab.offered;
    one.file = lab.file;
    one.on("open", () => { one.choices = { ...one.choices, ...shared(lab.choices) }; one.file = lab.file; one.begin(); });
    labs = [...labs, one];
    if (built) build();
  }
  function remove(one) {
    labs = labs.filter((other) => other !== one);
    one.link.end();
    tell();
    build();
  }
  function restore() {
    for (const one of labs.slice(1)) one.link.end();
    labs = [lab];
    for (const choices of lab.others.length ? lab.others : [{ ...own(lab.choices), network: "Dense(6) >> ReLU() >> Dense(4) >> ReLU()" }]) add(choices);
    build(lab.onward || Boolean(together?.running));
  }
  function resize() { cards.forEach((each) => each.resize()); draw(); }

  lab.on("chosen", ({ choices }) => {
    for (const one of labs.slice(1)) if (one.chosen && SHARED.some((name) => one.choices[name] !== choices[name])) {
      one.file = lab.file;
      one.choices = { ...one.choices, ...shared(choices) };
      one.begin();
    }
  });
  lab.on("runs", () => { if (open && lab.onward) together.run(); });  // as it was told in another view
  lab.on("compared", () => { if (entered) restore(); });
  onTheme(draw);
  return {
    element: h("div", {}, bar, h("section", { className: "card", style: "margin-bottom:1.2rem" }, h("h2", {}, "Test cost", more), plot, legend), sides),
    enter() {
      open = true;
      if (entered) return together.run(lab.onward);
      entered = true;
      restore();
    },
    leave() {
      const on = together.running;
      open = false;
      together.pause();
      if (on) lab.run();
    },
    run: () => together,
    resize,
  };
}
