// What is drawn on canvases: maps with points, curves over epochs, distributions, and curves of formulas.

import { CLASSES, ink, isDark, pixels } from "./theme.js";
import { shown } from "./dom.js";

/** The context of a canvas whose pixels are those of the screen, and its size in CSS pixels. */
export function fitted(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.max(Math.round(width * ratio), 1), Math.max(Math.round(height * ratio), 1)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const scratch = document.createElement("canvas");

/** Maps into a place, smoothed where they are of a plane, with edges where they are images. */
export function drawPixels(context, map, unit, x, y, width, height, strength, smooth = true, shape = map.shape) {
  [, scratch.height, scratch.width] = shape;
  scratch.getContext("2d").putImageData(pixels(map, shape, unit, strength), 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(scratch, 0, 0, scratch.width, scratch.height, x, y, width, height);
}

/** A square of heights from 0 to 1 as levels, smooth between its places and at their edges, in all of a canvas's pixels. */
export function drawLevels(canvas, heights, colours) {
  const { width, height } = canvas, context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const [side] = heights.shape, levels = colours.length, most = levels - 1, [wide, high] = [(side - 1) / width, (side - 1) / height];
  const level = new Float32Array(side), slope = new Float32Array(side);
  for (let y = 0, to = 0; y < height; y++) {
    const down = (y + 0.5) * high, row = Math.floor(down), part = down - row;
    for (let at = 0; at < side; at++) {
      const above = heights[row * side + at], below = heights[(row + 1) * side + at];
      level[at] = levels * (above + (below - above) * part);
      slope[at] = levels * Math.abs(below - above) * high;
    }
    for (let x = 0; x < width; x++, to += 4) {
      const across = (x + 0.5) * wide, at = Math.floor(across), step = level[at + 1] - level[at], middle = level[at] + step * (across - at);
      const pixel = Math.max(Math.abs(step) * wide + slope[at], 1e-6), upper = middle + pixel / 2;  // from here to there it goes in a pixel
      const one = colours[Math.min(Math.max(Math.floor(middle - pixel / 2), 0), most)], other = colours[Math.min(Math.floor(upper), most)];
      const share = Math.min((upper - Math.floor(upper)) / pixel, 1);
      for (let channel = 0; channel < 3; channel++) image.data[to + channel] = one[channel] + (other[channel] - one[channel]) * share;
      image.data[to + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** One of some images, (rows, height, width, channels) of bytes, grey or in colour. */
export function drawImage(context, images, row, x, y, width, height) {
  const [, high, wide, channels] = images.shape, size = high * wide, image = new ImageData(wide, high);
  for (let place = 0; place < size; place++) {
    for (let channel = 0; channel < 3; channel++) image.data[4 * place + channel] = images[(row * size + place) * channels + (channels > 2 ? channel : 0)];
    image.data[4 * place + 3] = 255;
  }
  [scratch.height, scratch.width] = [high, wide];
  scratch.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, wide, high, x, y, width, height);
}

function mark(context, kind, x, y, radius) {
  context.beginPath();
  if (kind === 1) { context.moveTo(x, y - radius * 1.25); context.lineTo(x + radius * 1.25, y); context.lineTo(x, y + radius * 1.25); context.lineTo(x - radius * 1.25, y); context.closePath(); }
  else if (kind === 2) context.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
  else if (kind === 3) { context.moveTo(x, y - radius * 1.2); context.lineTo(x + radius * 1.1, y + radius * 0.8); context.lineTo(x - radius * 1.1, y + radius * 0.8); context.closePath(); }
  else context.arc(x, y, radius, 0, 2 * Math.PI);
}

export function drawPoints(context, examples, width, height, radius = 3.4) {
  const { frame, classes, arrays } = examples;
  if (!frame || frame.length < 2) return;
  const [[left, right], [bottom, top]] = frame, most = classes ? 0 : Math.max(...arrays.train_y.map(Math.abs), 1e-9);
  for (const part of ["train", "test"]) {
    const x = arrays[`${part}_x`], y = arrays[`${part}_y`], filled = part === "train";
    for (let row = 0; row < y.length; row++) {
      const px = ((x[2 * row] - left) / (right - left)) * width, py = (1 - (x[2 * row + 1] - bottom) / (top - bottom)) * height;
      const kind = classes ? y[row] : y[row] > 0 ? 1 : 0;
      mark(context, kind, px, py, radius);
      context.fillStyle = context.strokeStyle = CLASSES[kind % CLASSES.length];
      if (filled) {
        context.globalAlpha = classes ? 1 : 0.25 + 0.75 * Math.min(Math.abs(y[row]) / most, 1);
        context.fill();
        context.lineWidth = 1;
        context.strokeStyle = isDark() ? "#fffb" : "#fff";
        context.stroke();
      } else {
        context.fillStyle = isDark() ? "#1a2127" : "#fff";
        context.fill();
        context.lineWidth = 1.6;
        context.stroke();
      }
      context.globalAlpha = 1;
    }
  }
}

/** The big picture: the network's outputs over the plane, or the fitted curve, with the examples. */
export function drawOutput(canvas, lab, unit = null) {
  const { context, width, height } = fitted(canvas), { examples, picture, chosen } = lab;
  if (!examples?.frame) return;
  const columns = chosen?.columns ?? [], number = unit ? unit.column : columns.length - 1;
  if (examples.frame.length === 1) return drawFit(context, width, height, lab, number, unit);
  const map = picture?.arrays[`map${number}`];
  if (map) drawPixels(context, map, unit ? unit.place : null, 0, 0, width, height, 0.62);
  drawPoints(context, examples, width, height, Math.max(2.4, width / 130));
}

function drawFit(context, width, height, lab, number, unit) {
  const { examples: { frame, arrays }, picture } = lab, [[left, right]] = frame;
  const line = picture?.arrays[`line${number}`], place = unit?.place ?? 0, count = line?.shape[1];
  const values = line?.slice(place * count, (place + 1) * count) ?? [];
  const all = unit ? [...values] : [...arrays.train_y, ...arrays.test_y];
  const low = Math.min(...all), high = Math.max(...all), room = 0.12 * (high - low || 1);
  const across = (x) => ((x - left) / (right - left)) * width, up = (y) => height - ((y - low + room) / (high - low + 2 * room)) * height;
  context.strokeStyle = ink("line");
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  if (!unit) for (const part of ["test", "train"]) arrays[`${part}_y`].forEach((y, row) => {
    mark(context, 0, across(arrays[`${part}_x`][row]), up(y), 3.2);
    context.fillStyle = context.strokeStyle = CLASSES[0];
    context.lineWidth = 1.5;
    part === "train" ? context.fill() : context.stroke();
  });
  context.beginPath();
  values.forEach((y, step) => context.lineTo((step / (count - 1)) * width, up(y)));
  context.strokeStyle = CLASSES[1];
  context.lineWidth = 3;
  context.stroke();
}

/** Lines over a common axis: [{values: [[x, y], …], colour, dash}]. */
export function drawLines(canvas, lines, { zero = false, log = false, unit = null } = {}) {
  const { context, width, height } = fitted(canvas), all = lines.flatMap((line) => line.values.map(([, y]) => y)).filter(Number.isFinite);
  if (!all.length) return;
  const scale = log ? Math.log10 : (y) => y;
  let low = zero ? 0 : Math.min(...all), high = unit ?? Math.max(...all);
  if (log) low = Math.max(low, high * 1e-6, 1e-9);
  if (!(high > low)) [low, high] = [low - (log ? low / 2 : 0.5), high + 0.5];
  const first = Math.min(...lines.map((line) => line.values[0]?.[0] ?? Infinity)), last = Math.max(...lines.map((line) => line.values.at(-1)?.[0] ?? 0));
  const left = 54, right = width - 6, top = 8, bottom = height - 18;
  const across = (x) => left + ((x - first) / (last - first || 1)) * (right - left);
  const up = (y) => bottom - ((scale(Math.max(y, low)) - scale(low)) / (scale(high) - scale(low))) * (bottom - top);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = ink("soft");
  context.strokeStyle = ink("line");
  context.textAlign = "right";
  context.textBaseline = "middle";
  const middle = log ? Math.sqrt(low * high) : Math.min(-low, high) > (high - low) / 6 ? 0 : (low + high) / 2;  // or 0, where it is far from both ends
  for (const y of [low, middle, high]) {
    context.fillText(shown(Math.abs(y) < 1e-6 * (high - low) ? 0 : y, 2), left - 6, up(y));
    context.beginPath();
    context.moveTo(left, up(y));
    context.lineTo(right, up(y));
    context.lineWidth = 1;
    context.stroke();
  }
  context.textBaseline = "alphabetic";
  context.fillText(shown(last, 4), right, height - 4);
  context.textAlign = "left";
  context.fillText(shown(first, 4), left, height - 4);
  for (const { values, colour, dash = [], thick = 2 } of lines) {
    context.beginPath();
    const every = Math.max(Math.ceil(values.length / (2 * width)), 1);
    values.forEach(([x, y], place) => { if (Number.isFinite(y) && (place % every === 0 || place === values.length - 1)) context.lineTo(across(x), up(y)); });
    context.setLineDash(dash);
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.lineJoin = "round";
    context.stroke();
    context.setLineDash([]);
    if (values.length === 1) { mark(context, 0, across(values[0][0]), up(values[0][1]), 3); context.fillStyle = colour; context.fill(); }
  }
}

export function drawHistory(canvas, history, name, options) {
  const of = (column) => history.filter((row) => row[column] !== undefined && row[column] !== null).map((row) => [row.epoch, row[column]]);
  drawLines(canvas, [
    { values: of(`validation_${name}`), colour: ink("orange"), dash: [5, 4] },
    { values: of(name), colour: ink("blue") },
  ].filter((line) => line.values.length), options);
}

/** How many values lie where. */
export function drawDistribution(canvas, { distribution, low, high }) {
  const { context, width, height } = fitted(canvas), most = Math.max(...distribution, 1), each = width / distribution.length;
  distribution.forEach((count, place) => {
    const middle = low + ((place + 0.5) / distribution.length) * (high - low), tall = Math.sqrt(count / most) * (height - 2);
    context.fillStyle = CLASSES[middle < 0 ? 0 : 1];
    context.fillRect(place * each, height - tall, Math.max(each - 0.8, 0.6), tall);
  });
  context.fillStyle = ink("line");
  context.fillRect(0, height - 1, width, 1);
}

/** The curves of a formula: itself and its derivative, or one for each of two targets. */
export function drawFormula(canvas, curves) {
  const colours = [ink("blue"), ink("orange")];
  drawLines(canvas, Object.values(curves).map(([x, y], place) => ({ values: x.map((value, at) => [value, y[at]]), colour: colours[place], dash: place ? [5, 4] : [] })));
}

/** A sketch of points, for a button. */
export function drawSketch(canvas, points) {
  const { context, width, height } = fitted(canvas);
  for (const [x, y, kind] of points) {
    context.beginPath();
    context.arc(x * width, y * height, 1.5, 0, 2 * Math.PI);
    context.fillStyle = CLASSES[kind];
    context.fill();
  }
}
