// The socket to the server: messages out and in, frames of arrays, and a new socket when the server is back.

const KINDS = { f4: Float32Array, u1: Uint8Array };

export function unframed(buffer) {
  const length = new DataView(buffer).getUint32(0, true), begin = 4 + length;
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const [name, [kind, shape, offset]] of Object.entries(header.arrays ?? {})) {
    const count = shape.reduce((product, axis) => product * axis, 1);
    arrays[name] = Object.assign(new KINDS[kind](buffer, begin + offset, count), { shape });
  }
  return { ...header, arrays, content: new Uint8Array(buffer, begin) };
}

function framed(header, content) {
  let said = new TextEncoder().encode(JSON.stringify(header));
  const frame = new Uint8Array(4 + said.length + content.byteLength);
  new DataView(frame.buffer).setUint32(0, said.length, true);
  frame.set(said, 4);
  frame.set(new Uint8Array(content), 4 + said.length);
  return frame;
}

export class Link extends EventTarget {
  constructor() {
    super();
    this.asked = new Map();
    this.count = 0;
    this.waiting = 250;
    this.open();
  }

  get isOpen() { return this.socket.readyState === WebSocket.OPEN; }

  open() {
    const token = new URLSearchParams(location.search).get("token") ?? "";
    this.socket = new WebSocket(`ws://${location.host}/socket?token=${encodeURIComponent(token)}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => { this.waiting = 250; this.tell("open"); });
    this.socket.addEventListener("message", ({ data }) => this.take(typeof data === "string" ? JSON.parse(data) : unframed(data)));
    this.socket.addEventListener("close", ({ code }) => {
      for (const { reject } of this.asked.values()) reject(new Error("The server is gone."));
      this.asked.clear();
      if (this.ended) return;
      this.tell("gone", { code });
      if (code === 4403) return;  // another token: this page's address is of yesterday
      setTimeout(() => this.open(), this.waiting);
      this.waiting = Math.min(this.waiting * 1.6, 4000);
    });
  }

  tell(kind, detail = {}) { this.dispatchEvent(new CustomEvent(kind, { detail })); }

  take(message) {
    const waiting = message.ask && this.asked.get(message.ask);
    if (waiting) {
      this.asked.delete(message.ask);
      if (message.kind === "refused") waiting.reject(new Error(message.message));
      else waiting.resolve(message);
      return;
    }
    this.tell(message.kind, message);
  }

  send(asked, content = null) {
    if (!this.isOpen) return;
    this.socket.send(content ? framed(asked, content) : JSON.stringify(asked));
  }

  ask(asked) {
    const ask = ++this.count;
    return Object.assign(new Promise((resolve, reject) => {
      this.asked.set(ask, { resolve, reject });
      this.send({ ...asked, ask });
    }), { ask });
  }

  /** Wait no more for an answer, which then never comes; the server may leave off its work. */
  forget(answer) {
    if (answer && this.asked.delete(answer.ask)) this.send({ do: "forget", ask: answer.ask });
  }

  end() { this.ended = true; this.socket.close(); }
}
