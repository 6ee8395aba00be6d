// A lab: one session of the server, what is chosen in it, and the latest that it told.

import { Link } from "./link.js";

export const DEFAULTS = {
  data: "moons", rows: 300, noise: 0.1, curve: "sin(2 * x)", target: "", drop: "", across: "", up: "", test: 0.3,
  network: "Dense(6) >> Tanh() >> Dense(4) >> Tanh()", cost: "", optimizer: "Adam(0.01)", regularizer: "",
  batch: 16, epochs: 100, seed: 0, pace: 0,
};

const LARGEST = 23 * 2 ** 20;  // bytes of a file

export class Lab extends EventTarget {
  constructor(choices = {}) {
    super();
    this.choices = { ...DEFAULTS, ...choices };
    this.history = [];
    this.running = false;
    this.parting = 0;  // choices of a link that are still to be answered one by one
    this.link = new Link();
    this.link.addEventListener("open", () => {
      this.history = [];
      this.examples = this.gallery = this.picture = this.chosen = null;
      this.tell("open");
    });
    this.link.addEventListener("gone", ({ detail }) => { this.running = false; this.tell("gone", detail); });
    for (const kind of ["refused", "diverged"]) this.link.addEventListener(kind, ({ detail }) => {
      if (kind === "diverged") this.running = false;
      if (kind === "refused" && !this.chosen && !this.parted) this.part();
      else this.tell(kind, detail);
      if (kind === "refused" && this.parting) this.parting--;
    });
    this.link.addEventListener("runs", ({ detail }) => { this.running = detail.running; this.until = detail.until; this.tell("runs"); });
    this.link.addEventListener("chosen", ({ detail }) => {
      const typed = this.typing;
      this.choices = { ...detail.choices };
      if (detail.new) this.history = [];
      if (this.file?.given) { this.file.name = detail.choices.data; this.file.given = false; }
      this.chosen = detail;
      this.running = detail.running;
      this.tell("chosen", { ...detail, typed });
      if (this.parting) this.parting--;
    });
    this.link.addEventListener("examples", ({ detail }) => { this.examples = detail; this.gallery = null; this.tell("examples"); });
    this.link.addEventListener("gallery", ({ detail }) => { this.gallery = detail; this.tell("gallery"); });
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

  /** Whether it runs on and on, to no step that is said. */
  get onward() { return this.running && this.until === null; }

  tell(kind, detail = {}) { this.dispatchEvent(new CustomEvent(kind, { detail })); }
  on(kind, action) { this.addEventListener(kind, ({ detail }) => action(detail)); return this; }

  /** All that is known, once more, to a view that is new. */
  retell() {
    if (!this.chosen) return;
    for (const kind of ["chosen", "examples", "gallery", "picture"]) if (this[kind]) this.tell(kind, this[kind]);
  }

  /** From the choices that are known, with the file that was given last, if they are of it. */
  begin() {
    if (this.file && this.file.name === this.choices.data) this.link.send({ do: "upload", ...this.file.said, choices: this.choices }, this.file.content);
    else this.choose(this.choices);
  }
  /** Each choice by itself, the network last, so that one that can't be is said at its place, and the others hold. */
  part() {
    const said = this.choices, others = Object.keys(DEFAULTS).filter((each) => each !== "network" && said[each] !== DEFAULTS[each]);
    this.parted = true;
    const each = [DEFAULTS, ...[...others, "network"].map((name) => ({ [name]: said[name] }))];
    this.parting = each.length + 1;  // with the refusal under way
    for (const changes of each) this.choose(changes);
  }
  choose(changes, more = {}) { this.link.send({ do: "choose", choices: changes, ...more }); }
  edit(part, path, value) { this.link.send({ do: "edit", part, path, value }); }
  insert(at, value) { this.link.send({ do: "edit", part: "network", insert: at, value }); }
  remove(first, last) { this.link.send({ do: "edit", part: "network", remove: [first, last] }); }
  pause() { this.link.send({ do: "pause" }); }
  toggle() { this.running ? this.pause() : this.run(); }
  step(epoch = false) { this.link.send({ do: "step", epoch }); }
  again() { this.choose({}, { anew: true }); }
  run(until) { this.link.send({ do: "run", ...(until === undefined ? {} : { until }) }); }
  look(row) { this.link.send({ do: "look", row }); }
  async upload(file) { this.give(file.name, { name: file.name }, await file.arrayBuffer()); }
  /** A folder's files, one behind the other; what lies beside images is left out by the server. */
  async uploadFolder(name, files) {
    const contents = await Promise.all(files.map(([, file]) => file.arrayBuffer()));
    this.give(`${name}.zip`, { name, files: files.map(([path], place) => [path, contents[place].byteLength]) }, await new Blob(contents).arrayBuffer());
  }
  give(name, said, content) {
    if (content.byteLength > LARGEST) { this.tell("refused", { field: "upload", message: `${name} has ${Math.ceil(content.byteLength / 2 ** 20)} MB, and the page takes ${LARGEST / 2 ** 20} at most. Run: chainrule train FILE.` }); return; }
    this.file = { name, said, content, given: true };
    this.link.send({ do: "upload", ...said }, content);
  }
}
