// A lab: one session of the server, what is chosen in it, and the latest that it told.

import { Link } from "./link.js";

export const DEFAULTS = {
  data: "moons", rows: 300, noise: 0.1, curve: "sin(2 * x)", test: 0.3,
  network: "Dense(6) >> Tanh() >> Dense(4) >> Tanh()", cost: "", optimizer: "Adam(0.01)", regularizer: "",
  batch: 16, epochs: 100, seed: 0, pace: 0,
};

export class Lab extends EventTarget {
  constructor(choices = {}) {
    super();
    this.choices = { ...DEFAULTS, ...choices };
    this.history = [];
    this.running = false;
    this.link = new Link();
    this.link.addEventListener("open", () => {
      this.history = [];
      this.examples = this.picture = this.chosen = null;
      this.tell("open");
    });
    this.link.addEventListener("gone", ({ detail }) => { this.running = false; this.tell("gone", detail); });
    for (const kind of ["refused", "diverged"]) this.link.addEventListener(kind, ({ detail }) => {
      if (kind === "diverged") this.running = false;
      this.tell(kind, detail);
    });
    this.link.addEventListener("runs", ({ detail }) => { this.running = detail.running; this.tell("runs"); });
    this.link.addEventListener("chosen", ({ detail }) => {
      const typed = this.typing;
      this.choices = { ...detail.choices };
      if (detail.new) this.history = [];
      this.chosen = detail;
      this.running = detail.running;
      this.tell("chosen", { ...detail, typed });
    });
    this.link.addEventListener("examples", ({ detail }) => { this.examples = detail; this.tell("examples"); });
    this.link.addEventListener("picture", ({ detail }) => {
      requestAnimationFrame(() => {
        this.link.send({ do: "drawn" });
        if (detail.training !== this.chosen?.training) return;
        this.picture = detail;
        for (const row of detail.rows) this.history.push(row);
        if (this.history.length > 6000) this.history = this.history.filter((_, place) => place % 2);
        this.tell("picture");
      });
    });
  }

  tell(kind, detail = {}) { this.dispatchEvent(new CustomEvent(kind, { detail })); }
  on(kind, action) { this.addEventListener(kind, ({ detail }) => action(detail)); return this; }

  begin() { this.choose(this.choices); }
  choose(changes, more = {}) { this.link.send({ do: "choose", choices: changes, ...more }); }
  edit(part, path, value) { this.link.send({ do: "edit", part, path, value }); }
  insert(at, value) { this.link.send({ do: "edit", part: "network", insert: at, value }); }
  remove(first, last) { this.link.send({ do: "edit", part: "network", remove: [first, last] }); }
  run() { this.link.send({ do: "run" }); }
  pause() { this.link.send({ do: "pause" }); }
  toggle() { this.running ? this.pause() : this.run(); }
  step(epoch = false) { this.link.send({ do: "step", epoch }); }
  again() { this.choose({}, { anew: true }); }
  async upload(file) { this.link.send({ do: "upload", name: file.name }, await file.arrayBuffer()); }
}
