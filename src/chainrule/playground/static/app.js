// The page: its views, its address, its keys.

import { h } from "./dom.js";
import { compareView, MOST, OWN } from "./compare.js";
import { DEFAULTS, Lab } from "./lab.js";
import { learnView } from "./learn.js";
import { raceView } from "./race.js";
import { stepsView } from "./steps.js";
import { takeView } from "./take.js";
import { startTheme } from "./theme.js";

const VIEWS = { learn: ["Learn", learnView], steps: ["Step by step", stepsView], race: ["Race", raceView], compare: ["Compare", compareView], take: ["Take along", takeView] };

/** The choices that the address holds behind its #, by the kind of their defaults. */
function choicesOf(address) {
  const said = new URLSearchParams(address.replace(/^#/, "")), choices = {};
  for (const [name, usual] of Object.entries(DEFAULTS)) if (said.has(name)) choices[name] = typeof usual === "number" ? Number(said.get(name)) : said.get(name);
  const others = [];
  for (let number = 2; said.has(`network${number}`) && others.length < MOST - 1; number++) others.push(Object.fromEntries(OWN.map((name) => [name, said.get(`${name}${number}`) ?? DEFAULTS[name]])));
  return { view: said.get("view") in VIEWS ? said.get("view") : "learn", choices, others };
}

/** The address of a view, the choices, and what is compared with them. */
function addressOf(view, choices, others) {
  const said = new URLSearchParams();
  if (view !== "learn") said.set("view", view);
  for (const [name, usual] of Object.entries(DEFAULTS)) if (choices[name] !== usual) said.set(name, choices[name]);
  others.forEach((other, place) => OWN.forEach((name) => { if (name === "network" || other[name] !== DEFAULTS[name]) said.set(`${name}${place + 2}`, other[name]); }));
  return `#${said}`;
}

startTheme(document.getElementById("theme"));
const place = document.getElementById("view"), banner = document.getElementById("banner"), nav = document.getElementById("views");
let { view, choices, others } = choicesOf(location.hash), shown = null, written = location.hash;
const lab = new Lab(choices);
lab.others = others;

function remember() {
  written = addressOf(view, lab.choices, lab.others);
  history.replaceState(null, "", `${location.pathname}${location.search}${written}`);
}

const made = {};
function open(name) {
  view = name;
  if (!lab.offered) return;  // it opens as soon as the server has said what there is
  made[name] ??= VIEWS[name][1](lab);
  shown?.leave?.();
  shown = made[name];
  place.replaceChildren(shown.element);
  for (const button of nav.children) button.toggleAttribute("aria-current", button.dataset.view === name);
  for (const button of nav.children) if (button.hasAttribute("aria-current")) button.setAttribute("aria-current", "page");
  shown.enter?.();
  shown.resize();
}

for (const [name, [title]] of Object.entries(VIEWS)) nav.append(h("button", { type: "button", "data-view": name, onclick: () => { open(name); remember(); } }, title));

lab.on("open", async () => {
  banner.hidden = true;
  if (!lab.offered) lab.offered = await lab.link.ask({ do: "offer" });
  if (!shown) open(view);
  lab.begin();
});
const GONE = {
  4403: "The server here has another token: open the address that it said. The choices stand behind the # of this one.",
  4429: "Too many tabs are open: close some of them.",
};
lab.on("gone", ({ code }) => {
  banner.hidden = false;
  banner.textContent = GONE[code] ?? "The server is gone. As soon as it is back, the page goes on.";
});
for (const kind of ["chosen", "others"]) lab.on(kind, remember);
lab.on("refused", ({ field, message }) => { if (!shown && field !== "offer") banner.textContent = message; });

addEventListener("hashchange", () => {
  if (location.hash === written) return;
  const said = choicesOf(location.hash);
  lab.others = said.others;
  lab.tell("compared");
  open(said.view);
  lab.choose({ ...DEFAULTS, ...said.choices });
});
addEventListener("resize", () => shown?.resize());
addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.closest("button, a, label, summary")) return;  // which it presses
  const run = shown?.run?.() ?? lab;
  const action = { " ": () => run.toggle(), ".": () => run.step(), e: () => run.step(true), r: () => run.again() }[event.key];
  if (action) { event.preventDefault(); action(); }
});
