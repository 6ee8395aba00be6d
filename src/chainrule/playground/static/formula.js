// A formula as a card: which one it is, its fields as sliders within their constraints, its mathematics and its curve.

import { h, shown, throttled } from "./dom.js";
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

/** The choices of families as a <select>; `none` is what stands for no formula. */
export function picker({ lab, families, chosen, label, none, onpick }) {
  const select = h("select", { "aria-label": label, onchange: () => onpick(select.value) });
  if (none) select.append(h("option", { value: "" }, none));
  for (const family of families) for (const [kinship, formulas] of Object.entries(lab.offered.families[family])) {
    const options = formulas.filter((each) => each.notation).map((each) => h("option", { value: each.notation, title: each.title }, each.name));
    if (options.length) select.append(h("optgroup", { label: kinship.replace(/\.$/, "") }, options));
  }
  return Object.assign(select, { show: (name) => {
    const option = [...select.options].find((each) => each.textContent === name);
    if (option) select.value = option.value;
    else if (name) { select.prepend(h("option", { value: name }, name)); select.selectedIndex = 0; }
    else select.value = "";
  } }), select.show(chosen), select;
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
  box.addEventListener("change", () => { const value = Number(box.value.replace("−", "-")); if (box.value.trim() !== "" && Number.isFinite(value)) send(value); });
  const show = (value) => {
    if (document.activeElement !== range) range.value = toRange(value);
    if (document.activeElement !== box) box.value = String(value);
    range.setAttribute("aria-valuetext", String(value));
  };
  show(field.value);
  return { element: h("div", { className: "field", title: said(field) }, h("label", { htmlFor: id }, field.label ?? field.name), box, range), show };
}

const said = (field) => [field.meaning, field.expected].filter(Boolean).join(" — ");

/** A number that is no field of a formula, such as noise. */
export function numberField(field, send) { return slider(field, send); }

function fieldOf(lab, field, path, edit) {
  const send = (value) => edit([...path, field.name], value), id = `field${++count}`;
  if (field.type === "number") return slider(field, send);
  if (field.type === "flag") {
    const box = h("input", { type: "checkbox", id, checked: field.value, onchange: () => send(box.checked) });
    return { element: h("div", { className: "field", title: said(field) }, h("label", { htmlFor: id }, field.name), box), show: (value) => { box.checked = value; } };
  }
  if (field.type === "choice") {
    const select = h("select", { id, onchange: () => send(select.value) }, field.choices.map((each) => h("option", { value: each, selected: each === field.value }, each.replaceAll("'", ""))));
    return { element: h("div", { className: "field", title: said(field) }, h("label", { htmlFor: id }, field.name), select), show: (value) => { select.value = value; } };
  }
  if (field.type === "formula") {
    const inner = fieldsOf(lab, field.value, [...path, field.name], edit);
    const family = field.family;
    const select = family ? picker({ lab, families: [family], chosen: field.value.name, label: field.name, onpick: send }) : h("code", {}, field.value.notation);
    select.classList.add("wide");
    return { element: h("div", { className: "field", title: said(field) }, h("span", {}, field.name.replaceAll("_", " ")), h("span"), select, inner.element.childElementCount ? h("div", { className: "nested" }, inner.element) : null), show: (value) => inner.show(value) };
  }
  const box = h("input", { type: "text", id, className: "number", value: field.value, onchange: () => send(box.value) });
  return { element: h("div", { className: "field", title: said(field) }, h("label", { htmlFor: id }, field.name), box), show: (value) => { if (document.activeElement !== box) box.value = value; } };
}

function fieldsOf(lab, formula, path, edit) {
  const rows = (formula.fields ?? []).map((field) => fieldOf(lab, field, path, edit));
  return {
    element: h("div", {}, rows.map((row) => row.element)),
    show: (other) => other.fields.forEach((field, place) => rows[place].show(field.value)),
  };
}

/** What of a formula is no number: where it stays alike, fields are filled and not made again. */
const structure = (formula) => formula && JSON.stringify([formula.name, formula.fields?.map((field) => [field.name, field.type, field.type === "formula" ? structure(field.value) : field.type === "number" ? null : field.value])]);

export function formulaCard({ lab, title, families, none, pick, edit, level = "h2" }) {
  const body = h("div"), mathematics = h("div", { className: "mathematics", tabIndex: 0, role: "group", "aria-label": `${title}: mathematics` });
  const curve = h("canvas", { className: "curve", role: "img", hidden: true });
  const about = h("p", { className: "title" }), reference = h("p", { className: "reference" });
  const element = h("section", { className: "card formula" }, h(level, {}, title), body, about, mathematics, curve, reference);
  let built, fields, select, latest, page;
  const draw = () => { if (page && !curve.hidden) drawFormula(curve, page.curves); };
  onTheme(draw);
  const learn = throttled((notation) => pageOf(lab, notation).then((found) => {
    if (latest?.notation !== notation) return;
    page = found;
    mathematics.innerHTML = found.equations.map(({ mathml, remark }) => `${remark ? `<div class="remark">${remark}</div>` : ""}${mathml}`).join("");
    curve.hidden = !Object.keys(found.curves).length;
    curve.setAttribute("aria-label", `The curves ${Object.keys(found.curves).join(" and ")}`);
    reference.textContent = found.reference;
    draw();
  }).catch(() => { mathematics.textContent = ""; curve.hidden = true; }), 120);
  return {
    element,
    resize: draw,
    show(formula) {
      const now = structure(formula);
      if (built !== now || !select) {
        built = now;
        select = picker({ lab, families, chosen: formula?.name ?? "", label: title, none, onpick: pick });
        fields = formula && fieldsOf(lab, formula, [], edit);
        body.replaceChildren(select, ...(fields ? [fields.element] : []));
      } else fields?.show(formula);
      if (latest?.notation === formula?.notation) return;
      latest = formula;
      about.textContent = formula?.title ?? "";
      if (formula) learn(formula.notation);
      else { mathematics.replaceChildren(); curve.hidden = true; reference.textContent = ""; }
    },
  };
}

export { shown };
