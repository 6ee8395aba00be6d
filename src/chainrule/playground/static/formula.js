// A formula as a card: which one it is, its fields as sliders within their constraints, its mathematics and its curve.

import { h, refill, shown, throttled } from "./dom.js";
import { drawFormula } from "./drawing.js";
import { onTheme } from "./theme.js";

const pages = new Map();
let count = 0;

/** The page of a formula in notation, asked once. */
function pageOf(lab, notation) {
  if (!pages.has(notation)) {
    const asked = lab.link.ask({ do: "show", notation });
    pages.set(notation, asked);
    asked.catch(() => pages.delete(notation));
    if (pages.size > 300) pages.delete(pages.keys().next().value);
  }
  return pages.get(notation);
}

/** The choices of families, or of all formulas that stand in a field for some classes, as a <select>; `none` is what stands for no formula. */
export function picker({ lab, families = Object.keys(lab.offered.families), bases, chosen, label, none, onpick }) {
  const select = h("select", { "aria-label": label, onchange: () => onpick(select.value) });
  if (none) select.append(h("option", { value: "" }, none));
  for (const family of families) for (const [kinship, formulas] of Object.entries(lab.offered.families[family])) {
    const fitting = formulas.filter((each) => each.notation && (!bases || each.bases.some((base) => bases.includes(base))));
    const options = fitting.map((each) => h("option", { value: bases ? each.notation : each.alone, title: each.title }, each.name));
    if (options.length) select.append(h("optgroup", { label: kinship.replace(/\.$/, "") }, options));
  }
  return Object.assign(select, { show: (name) => {
    const option = [...select.options].find((each) => each.textContent === name);
    if (option) select.value = option.value;
    else if (name) { select.prepend(h("option", { value: name }, name)); select.selectedIndex = 0; }
    else select.value = "";
  } }), select.show(chosen), select;
}

/** Sends what is typed into a box; gives what shows a value there, unless one is typing: then its answer takes the place of what was typed. */
function typed(box, send, show = () => {}) {
  let latest, sent = false;
  box.addEventListener("change", () => {
    sent = box.value.trim() !== "";
    if (sent) send(box.value.trim());
    else box.value = latest;
  });
  return (value) => {
    latest = String(value);
    if (sent || document.activeElement !== box) box.value = latest;
    sent = false;
    show(value);
  };
}

/** A number as a slider and a box; of numbers above 0 the slider goes over powers of ten. */
function slider(field, send) {
  const id = `field${++count}`, powers = field.scale === "powers", steps = 400;
  const [low, high] = powers ? [Math.log10(field.low), Math.log10(field.high)] : [field.low, field.high];
  const toRange = (value) => (powers ? (value <= 0 ? 0 : Math.round(((Math.log10(value) - low) / (high - low)) * steps)) : value);
  const fromRange = (at) => {
    if (!powers) return field.scale === "whole" ? Math.round(at) : Number(Number(at).toPrecision(4));
    if (Number(at) === 0 && field.zero) return 0;
    return Number((10 ** (low + (at / steps) * (high - low))).toPrecision(2));
  };
  const range = h("input", { type: "range", id, min: powers ? 0 : low, max: powers ? steps : high, step: powers || field.scale === "whole" ? 1 : "any" });
  const box = h("input", { type: "text", className: "number", inputMode: "decimal", "aria-label": `${field.name}, as a number` });
  const sent = throttled(send);
  range.addEventListener("input", () => { box.value = String(fromRange(range.value)); range.setAttribute("aria-valuetext", box.value); sent(fromRange(range.value)); });
  const show = typed(box, (text) => { const value = Number(text.replaceAll("−", "-")); send(Number.isFinite(value) ? value : text); }, (value) => {
    if (document.activeElement !== range) range.value = toRange(value);
    range.setAttribute("aria-valuetext", String(value));
  });
  show(field.value);
  return { element: h("div", { className: "field", title: said(field) }, h("label", { htmlFor: id }, field.label ?? field.name), box, range), show };
}

const said = (field) => [field.meaning, field.expected].filter(Boolean).join(" — ");

/** A number that is no field of a formula, such as noise. */
export function numberField(field, send) { return slider(field, send); }

/** The label of a field, and what stands beside it and below. */
const rowOf = (field, id, beside, ...below) => h("div", { className: "field", title: said(field) }, h(id ? "label" : "span", { htmlFor: id }, field.label ?? field.name), beside, below);

/** What a field shows, by its type: an element, and what shows another value of the same structure in it. */
const KINDS = {
  number: (lab, field, path, edit, id) => slider(field, (value) => edit(path, value)),
  flag(lab, field, path, edit, id) {
    const box = h("input", { type: "checkbox", id, checked: field.value, onchange: () => edit(path, box.checked) });
    return { element: rowOf(field, id, box), show: (value) => { box.checked = value; } };
  },
  choice(lab, field, path, edit, id) {
    const select = h("select", { id, onchange: () => edit(path, select.value) }, field.choices.map((each) => h("option", { value: each, selected: each === field.value }, each.replaceAll("'", ""))));
    return { element: rowOf(field, id, select), show: (value) => { select.value = value; } };
  },
  notation(lab, field, path, edit, id) {
    if (field.bases.length) return { element: rowOf(field, null, null), show() {} };
    const box = h("input", { type: "text", id, className: "number" }), show = typed(box, (text) => edit(path, text));
    show(field.value);
    return { element: rowOf(field, id, box), show };
  },
  formula(lab, field, path, edit) {
    const inner = fieldsOf(lab, field.value, path, edit);
    return { element: rowOf(field, null, null, inner.element.childElementCount ? h("div", { className: "nested" }, inner.element) : null), show: inner.show };
  },
  formulas(lab, field, path, edit) {
    const item = (value, place) => fieldOf(lab, { ...field, type: value ? "formula" : "notation", value, otherwise: "", name: place, label: value ? String(place + 1) : "another", none: value ? "take away" : "none" }, path, edit);
    const items = [...field.value, null].map(item);
    return { element: rowOf(field, null, null, h("div", { className: "nested" }, items.map((each) => each.element))), show: (values) => values.forEach((value, place) => items[place].show(value)) };
  },
};

/** A field; one that may hold a formula has a picker of those, and below it what it holds. */
function fieldOf(lab, field, path, edit) {
  const own = [...path, field.name], made = KINDS[field.type](lab, field, own, edit, `field${++count}`);
  if (!field.bases.length || field.type === "formulas") return made;
  const holds = field.type === "formula", other = field.none ?? (/^[\d.]/.test(field.otherwise ?? "") ? "a number" : field.otherwise === "None" ? "none" : null);
  const select = picker({ lab, bases: field.bases, chosen: holds ? field.value.name : "", label: `${field.label ?? field.name}: formula`, none: other, onpick: (value) => edit(own, value || field.otherwise) });
  select.classList.add("kind");
  const label = made.element.firstChild, both = h("span", { className: "of" });
  label.replaceWith(both);
  both.append(label, select);
  return made;
}

function fieldsOf(lab, formula, path, edit) {
  const rows = (formula.fields ?? []).map((field) => fieldOf(lab, field, path, edit));
  return {
    element: h("div", {}, rows.map((row) => row.element)),
    show: (other) => other.fields.forEach((field, place) => rows[place].show(field.value)),
  };
}

/** What of a formula is no number: where it stays alike, fields are filled and not made again. */
const structure = (formula) => formula && JSON.stringify([formula.name, formula.fields?.map(({ name, type, value }) => [name, type, type === "formula" ? structure(value) : type === "formulas" ? value.map(structure) : type === "number" ? null : value])]);

/** By which name a formula is picked: one that clips another one's gradients by how it clips. */
const nameOf = (formula) => formula?.fields.find((field) => field.name === "clipping")?.value.name ?? formula?.name ?? "";

export function formulaCard({ lab, title, families, none, pick, edit, level = "h2" }) {
  const body = h("div"), mathematics = h("div", { className: "mathematics", tabIndex: 0, role: "group", "aria-label": `${title}: mathematics` });
  const curve = h("canvas", { className: "curve", role: "img", hidden: true });
  const key = h("p", { className: "legend" }), about = h("p", { className: "title" }), reference = h("p", { className: "reference" });
  const element = h("section", { className: "card formula" }, h(level, {}, title), body, about, mathematics, curve, key, reference);
  let built, fields, select, latest, page;
  const draw = () => { if (page && !curve.hidden) drawFormula(curve, page.curves); };
  onTheme(draw);
  const learn = throttled((notation) => pageOf(lab, notation).then((found) => {
    if (latest?.notation !== notation) return;
    page = found;
    mathematics.innerHTML = found.equations.map(({ mathml, remark }) => `${remark ? `<div class="remark">${remark}</div>` : ""}${mathml}`).join("");
    const names = Object.keys(found.curves);
    curve.hidden = key.hidden = !names.length;
    curve.setAttribute("aria-label", `The curve${names.length > 1 ? "s" : ""} ${names.join(" and ")}`);
    key.replaceChildren(...names.map((name, place) => h("span", {}, h("i", { className: "line", style: `background:var(--${place ? "orange" : "blue"})` }), name)));
    reference.textContent = found.reference;
    draw();
  }).catch(() => { mathematics.textContent = ""; curve.hidden = key.hidden = true; }), 120);
  return {
    element,
    resize: draw,
    show(formula) {
      const now = structure(formula);
      if (built !== now || !select) {
        built = now;
        select = picker({ lab, families, chosen: nameOf(formula), label: title, none, onpick: pick });
        fields = formula && fieldsOf(lab, formula, [], edit);
        refill(body, select, ...(fields ? [fields.element] : []));
      } else fields?.show(formula);
      if (latest?.notation === formula?.notation) return;
      latest = formula;
      about.textContent = (formula?.title ?? "").replaceAll("`", "");
      if (formula) learn(formula.notation);
      else { mathematics.replaceChildren(); curve.hidden = key.hidden = true; reference.textContent = ""; }
    },
    /** What is, in the place of what was refused. */
    restore() {
      select?.show(nameOf(latest));
      if (latest) fields?.show(latest);
    },
  };
}

export { shown };
