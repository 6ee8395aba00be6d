// The view from which one takes along what was made.

import { h } from "./dom.js";
import { drawOutput } from "./drawing.js";

function save(name, content, type = "application/octet-stream") {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function takeView(lab) {
  const said = h("p", { className: "said", role: "status" });
  const copied = async (text, what) => {
    try { await navigator.clipboard.writeText(text); said.textContent = `${what} is on the clipboard.`; }
    catch { said.textContent = "The browser lets nothing be copied here: mark the text and copy it yourself."; }
  };
  const text = (title, note) => {
    const code = h("pre", { className: "code", tabIndex: 0, "aria-label": title });
    const more = h("p", { className: "note", hidden: true });
    return { code, element: h("section", { className: "card" }, h("h2", {}, title, h("button", { className: "quiet", type: "button", "aria-label": `Copy: ${title}`, onclick: () => copied(code.textContent, title) }, "copy")), code, note ? h("p", { className: "note" }, note) : null, more), more };
  };
  const [notation, command, program, link] = [text("Notation"), text("Command line", "It reads the page's points from a file, which stands below to be saved, or your own file, and divides the rows by itself."), text("Python program", "On the page's points it trains to the same bits, if no number was changed on the way."), text("Link", "Its address holds all choices; a file of your own it does not hold. On another machine the part behind token= is the one that its own page has.")];
  const file = async (what) => {
    try { const { name, content } = await lab.link.ask({ do: "file", what }); save(name, content); said.textContent = `${name} is saved.`; } catch (error) { said.textContent = error.message; }
  };
  const picture = () => {
    if (!lab.examples?.frame) { said.textContent = "Images have no plane to draw."; return; }
    const canvas = h("canvas", { style: "position:fixed;left:-9999px;width:600px;height:600px" });
    document.body.append(canvas);
    drawOutput(canvas, lab);
    canvas.toBlob((blob) => { save("playground.png", blob); canvas.remove(); said.textContent = "playground.png is saved."; });
  };
  const files = h("section", { className: "card" }, h("h2", {}, "Files"), h("div", { className: "spread" },
    h("button", { className: "quiet", type: "button", onclick: () => file("model") }, "Model (.safetensors)"), h("button", { className: "quiet", type: "button", onclick: () => file("points") }, "Points (.csv)"), h("button", { className: "quiet", type: "button", onclick: picture }, "Picture (.png)")),
    said, h("p", { className: "note" }, "The model file is read by chainrule.load and chainrule export; of a table or images, which it takes raw, by chainrule predict and evaluate, too."));
  const fill = async () => {
    if (!lab.chosen || !element.isConnected) return;
    const { network, optimizer, cost, regularizer } = lab.choices;
    notation.code.textContent = [network, cost || lab.chosen.cost.notation, optimizer, regularizer].filter(Boolean).join("\n");
    link.code.textContent = location.href;
    try { const found = await lab.link.ask({ do: "take" }); command.more.hidden = !found.size; command.more.textContent = `Images are resized to ${found.size?.replace("x", " × ")} pixels, as they are here.`; command.code.textContent = found.command; program.code.textContent = found.program; } catch (error) { said.textContent = error.message; }
  };
  lab.on("chosen", fill);
  const element = h("div", { className: "take" }, notation.element, command.element, program.element, h("div", { className: "stack" }, files, link.element));
  return { element, enter: () => setTimeout(fill), resize() {} };
}
