// The view in which optimizers race down a surface from where one clicks.

import { h, refill, shown, throttled } from "./dom.js";
import { drawLevels, fitted } from "./drawing.js";
import { formulaCard, picker } from "./formula.js";
import { isDark, ink, onTheme } from "./theme.js";

const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a5195", "#999999"];
const LEVELS = 16, START = ["GradientDescent()", "Momentum()", "RMSprop()", "Adam()"];

export function raceView(lab) {
  const canvas = h("canvas", { className: "ground", role: "img", tabIndex: 0, "aria-label": "The surface" }), said = h("p", { className: "said wrong", role: "alert" });
  const surface = h("select", { id: "surface", onchange: () => { lab.link.forget(answer); start = null; anew = true; canvas.ariaBusy = "true"; go(); } }), racers = h("ol", { className: "racers" });
  const published = h("input", { type: "checkbox", id: "published", onchange: () => go() });
  const slower = h("input", { type: "range", id: "slow", min: 0, max: 1, step: "any", value: 0.4, "aria-label": "pace of the race" });
  const about = h("p", { className: "note", role: "status" }), card = h("div");
  const adding = h("div");
  let optimizers = [...START], start = null, found = null, at = 0, timer = null, open = false, selected = null, editor = null, anew = true, answer = null;

  const go = throttled(async () => {
    if (!open) return;
    lab.link.forget(answer);
    cancelAnimationFrame(timer);
    about.textContent = "on the way …";
    try {
      answer = lab.link.ask({ do: "race", surface: surface.value || "beale", optimizers, start, anew, published: published.checked });
      found = await answer;
      anew = false;
      said.textContent = "";
      at = 0;
      if (!surface.options.length) surface.append(...found.surfaces.map((name) => h("option", { value: name }, name)));
      surface.value = found.surface;
      canvas.ariaBusy = null;
      canvas.setAttribute("aria-label", `${found.surface}: ${found.racers.map((racer) => `${racer.label} ends ${shown(racer.reached)} above the lowest point`).join("; ")}`);
      list();
      move();
    } catch (error) {
      said.textContent = error.message;
      about.textContent = "";
      if (found) surface.value = found.surface;
      canvas.ariaBusy = null;
    }
  }, 120);

  function list() {
    refill(racers, ...found.racers.map((racer, place) => h("li", {},
      h("button", { className: "chip", type: "button", "aria-pressed": String(selected === place), onclick: () => { selected = selected === place ? null : place; editor = null; list(); } }, h("i", { className: "dot", style: `background:${COLOURS[place]}` }), racer.label.replace(" = ", "\u00a0=\u00a0")),
      h("span", { className: "muted" }, racer.reached === null ? "ran away" : `${shown(racer.reached, 2)} above`),
      h("button", { className: "tiny", type: "button", "aria-label": `Take ${racer.label} away`, onclick: () => { optimizers = optimizers.filter((_, other) => other !== place); selected = editor = null; go(); } }, "×"))));
    if (!adding.childElementCount) {
      const select = picker({ lab, families: ["optimizers"], chosen: "", label: "Add an optimizer", none: "+ optimizer", onpick: (value) => { if (value) optimizers = [...optimizers, value].slice(0, 8); select.value = ""; go(); } });
      adding.append(select);
    }
    const racer = selected === null ? null : found.racers[selected];
    if (!racer) { card.replaceChildren(); editor = null; return; }
    if (!editor) {
      const place = selected;
      editor = formulaCard({ lab, title: "Its formula", families: ["optimizers"], pick: (value) => { optimizers[place] = value; go(); },
        edit: async (path, value) => { try { optimizers[place] = (await lab.link.ask({ do: "edited", notation: optimizers[place], path, value })).formula.notation; go(); } catch (error) { said.textContent = error.message; editor?.restore(); } } });
      card.replaceChildren(editor.element);
    }
    editor.show(racer);
  }

  const ground = document.createElement("canvas");
  let painted = [];  // of which race, how large and how dark the ground is
  function draw() {
    if (!found || !canvas.isConnected) return;
    const { context, width, height } = fitted(canvas), [left, right, bottom, top] = found.frame, now = [found, canvas.width, canvas.height, isDark()];
    if (now.some((each, place) => each !== painted[place])) {
      painted = now;
      const [dark, light] = isDark() ? [[24, 30, 36], [74, 86, 97]] : [[168, 184, 198], [252, 252, 250]];
      [ground.width, ground.height] = [canvas.width, canvas.height];
      drawLevels(ground, found.arrays.ground, Array.from({ length: LEVELS }, (_, level) => dark.map((from, channel) => from + ((light[channel] - from) * level) / (LEVELS - 1) - 7 * (level % 2))));
    }
    context.drawImage(ground, 0, 0, width, height);
    const across = (x) => ((x - left) / (right - left)) * width, up = (y) => height - ((y - bottom) / (top - bottom)) * height;
    context.font = "22px serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = ink("ink");
    for (const [x, y] of found.goals) context.fillText("★", across(x), up(y));
    context.beginPath();
    context.arc(across(found.start[0]), up(found.start[1]), 6, 0, 2 * Math.PI);
    context.fill();
    const step = Math.min(Math.floor(at), found.steps);
    found.racers.forEach((_, place) => {
      const points = found.arrays[`path${place}`];
      context.beginPath();
      let ended = [found.start[0], found.start[1]];
      for (let each = 0; each <= step; each++) {
        const [x, y] = [points[2 * each], points[2 * each + 1]];
        if (!Number.isFinite(x) || !Number.isFinite(y) || Math.abs(x) > 1e4 || Math.abs(y) > 1e4) break;
        context.lineTo(across(x), up(y));
        ended = [x, y];
      }
      context.strokeStyle = COLOURS[place];
      context.lineWidth = selected === place ? 4.5 : 2.6;
      context.lineJoin = "round";
      context.stroke();
      context.beginPath();
      context.arc(across(ended[0]), up(ended[1]), 6.5, 0, 2 * Math.PI);
      context.fillStyle = COLOURS[place];
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = ink("card");
      context.stroke();
    });
    about.textContent = `step ${step} of ${found.steps}; click anywhere to begin there`;
  }

  function move() {
    cancelAnimationFrame(timer);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) at = found.steps;
    let before = performance.now();
    const frame = (now) => {
      if (!open) return;
      at += ((now - before) / 1000) * 2 * 10 ** (2.2 * slower.value) * (0.4 + at / 60);
      before = now;
      draw();
      if (at < found.steps) timer = requestAnimationFrame(frame);
    };
    timer = requestAnimationFrame(frame);
  }

  canvas.addEventListener("click", (event) => {
    if (!found || canvas.ariaBusy) return;  // another surface, which has another frame, is on the way
    const box = canvas.getBoundingClientRect(), [left, right, bottom, top] = found.frame;
    start = [left + ((event.clientX - box.left) / box.width) * (right - left), top - ((event.clientY - box.top) / box.height) * (top - bottom)];
    go();
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!by || !found || canvas.ariaBusy) return;
    event.preventDefault();
    const [left, right, bottom, top] = found.frame, [x, y] = start ?? found.start;
    start = [Math.min(Math.max(x + (by[0] * (right - left)) / 40, left), right), Math.min(Math.max(y + (by[1] * (top - bottom)) / 40, bottom), top)];
    go();
  });
  onTheme(() => open && draw());
  const element = h("div", { className: "race" },
    h("section", { className: "card" }, h("h2", {}, h("label", { className: "inline", style: "text-transform:none;letter-spacing:0" }, "surface", surface), h("button", { className: "quiet", type: "button", onclick: () => { at = 0; if (found) move(); } }, "again")), canvas, about, said),
    h("div", { className: "stack" }, h("section", { className: "card" }, h("h2", {}, "Optimizers"), racers, adding,
      h("div", { className: "field" }, h("label", { htmlFor: "published" }, "published rates"), published), h("div", { className: "field" }, h("label", { htmlFor: "slow" }, "pace"), h("span"), slower),
      h("p", { className: "note" }, "A racer with its default rate takes the one that leads it down fastest here, as published rates are for networks; give it a rate, and it keeps that. Where it ends is told above the lowest point that is known, of the picture and of all ways."), h("p", { className: "note" }, "The cost of your network, the one in Learn as it stands, is shown over a plane through its parameters: along two random directions, as long unit by unit as its weights are (Li et al., 2018), or from its first values at the start to those of now.")), card));
  return { element, enter() { open = true; anew = true; go(); }, leave() { open = false; lab.link.forget(answer); cancelAnimationFrame(timer); }, resize: draw };
}
