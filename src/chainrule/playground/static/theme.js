// Dark and light, and the colours of classes and values: Okabe and Ito's, which the colour-blind tell apart.

export const CLASSES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#999999"];
const listeners = new Set();

export const isDark = () => document.documentElement.dataset.theme === "dark";
export const onTheme = (action) => listeners.add(action);

export function startTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
    for (const action of listeners) action();
  };
  apply(kept() ? kept() === "dark" : system.matches);
  system.addEventListener("change", () => kept() || apply(system.matches));
  button.addEventListener("click", () => {
    apply(!isDark());
    try { localStorage.setItem("theme", isDark() ? "dark" : "light"); } catch { /* a browser that keeps nothing */ }
  });
}

export const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const rgb = (text) => [1, 3, 5].map((place) => parseInt(text.slice(place, place + 2), 16));
const mixed = (one, other, part) => one.map((value, place) => value + (other[place] - value) * part);

const paper = () => (isDark() ? [26, 33, 39] : [255, 255, 255]);
const tables = new Map();

/** 256 colours from blue by paper to orange. */
export function diverging(strength = 0.85) {
  const key = `${isDark()}${strength}`;
  if (!tables.has(key)) {
    const table = new Uint8ClampedArray(256 * 3), [blue, orange] = [rgb(CLASSES[0]), rgb(CLASSES[1])];
    for (let value = 0; value < 256; value++) {
      const side = value / 127.5 - 1;
      table.set(mixed(paper(), side < 0 ? blue : orange, Math.min(Math.abs(side), 1) ** 0.8 * strength), 3 * value);
    }
    tables.set(key, table);
  }
  return tables.get(key);
}

/** The pixels of maps, (units, high, wide) of bytes: one unit by its value, several as classes by how sure they are. */
export function pixels(bytes, [units, high, wide], unit = null, strength = 0.85) {
  const image = new ImageData(wide, high), size = wide * high, data = image.data;
  if (units === 1 || unit !== null) {
    const table = diverging(strength), begin = (unit ?? 0) * size;
    for (let place = 0; place < size; place++) {
      const from = 3 * bytes[begin + place], to = 4 * place;
      data[to] = table[from]; data[to + 1] = table[from + 1]; data[to + 2] = table[from + 2]; data[to + 3] = 255;
    }
    return image;
  }
  const colours = CLASSES.map(rgb), ground = paper();
  for (let place = 0; place < size; place++) {
    let best = 0, second = 0;
    for (let each = 1; each < units; each++) if (bytes[each * size + place] > bytes[best * size + place]) best = each;
    for (let each = 0; each < units; each++) if (each !== best) second = Math.max(second, bytes[each * size + place]);
    const sure = ((bytes[best * size + place] - second) / 255) ** 0.8 * strength, colour = colours[best % colours.length];
    for (let channel = 0; channel < 3; channel++) data[4 * place + channel] = ground[channel] + (colour[channel] - ground[channel]) * sure;
    data[4 * place + 3] = 255;
  }
  return image;
}
