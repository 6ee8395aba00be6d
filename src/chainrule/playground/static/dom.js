// Elements, numbers for people, and the few icons.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const FOCUSED = "button, input, select, textarea", nameOf = (element) => element.dataset.place ?? element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;

/** Other children in an element; who was on one of the old ones is on the new one of the same name, or on one beside it. */
export function refill(element, ...children) {
  const left = element.contains(document.activeElement) ? document.activeElement : null, name = left && nameOf(left);
  element.replaceChildren(...children);
  if (!left || left.isConnected) return;
  const found = [...element.querySelectorAll(FOCUSED)], same = found.find((each) => each.tagName === left.tagName && nameOf(each) === name);
  const beside = same?.disabled ? [...same.parentElement.querySelectorAll(FOCUSED)] : found;
  (same && !same.disabled ? same : beside.find((each) => !each.disabled))?.focus();
}

const PATHS = {
  run: "M6 3.5v17l14-8.5z",
  pause: "M5 3.5h5v17H5zM14 3.5h5v17h-5z",
  step: "M4 4v16l10-8zM16 4h3.5v16H16z",
  epoch: "M3 4v16l8-8zM11 4v16l8-8zM19.5 4H22v16h-2.5z",
  again: "M12 4V1L7 5.5 12 10V7a5.5 5.5 0 1 1-5.5 5.5H3.5A8.5 8.5 0 1 0 12 4z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function shown(number, digits = 3) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return number.toExponential(1).replaceAll("-", "−");
  return number.toLocaleString("en", { maximumSignificantDigits: digits }).replace("-", "−");
}

export const whole = (number) => Math.round(number).toLocaleString("en");

export function throttled(action, milliseconds = 60) {
  let timer = null, latest = null;
  return (...of) => {
    latest = of;
    timer ??= setTimeout(() => { timer = null; action(...latest); }, milliseconds);
  };
}
