"use strict";
// One game: its WebAssembly module, and the memory that it computes in. `facts` is what ludus.envs.adapters.web tells.

const STACK = 1 << 16, PAGE = 1 << 16, ALIGNMENT = 64; // bytes
const LONGEST = 960; // pixels of a picture's longer side
const GZIP = [0x1f, 0x8b]; // how it begins
const FROM_DISK = "opened from disk, a page may not load what lies beside it: serve the folder, as with " +
  "`python -m http.server`, or export it with --single-file";
const OPAQUE = 0xff000000; // of a pixel as a word of four bytes, the first the lowest, as WebAssembly has them
const SPECTATOR = -1; // who sees a picture if no player does
const VIEWS = {
  bool: Uint8Array, uint8: Uint8Array, int8: Int8Array, record: Uint8Array, int32: Int32Array, float32: Float32Array,
  float64: Float64Array, int64: BigInt64Array, uint64: BigUint64Array,
};
const FAULTS = ["", "an action that there is not", "a step after the end", "an action that is not allowed now"];

// Random numbers begin as in ludus.envs.rng, so that a seed means the same here as in Python.

const MIX_1 = 0xbf58476d1ce4e5b9n, MIX_2 = 0x94d049bb133111ebn, STRIDE = 0x9e3779b97f4a7c15n, PLAYERS = 1n << 63n;
const uint64 = (x) => BigInt.asUintN(64, x);

function mix(x) {
  x = uint64((x ^ (x >> 30n)) * MIX_1);
  x = uint64((x ^ (x >> 27n)) * MIX_2);
  return x ^ (x >> 31n);
}

function startStreams(seed, index) {
  const key = mix(mix(uint64(seed)) ^ uint64(index * STRIDE));
  return [mix(key ^ MIX_1), mix(key ^ MIX_2)];
}

// Bytes of a file beside the page, or of the page itself, where they are in base64.
async function bytesOf(file) {
  if (file.base64) return Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
  if (location.protocol === "file:") throw new Error(FROM_DISK);
  const answer = await fetch(file.path);
  if (!answer.ok) throw new Error(`${file.path} is missing (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

// The code of a module, which is gzipped, unless the server has unpacked it.
async function codeOf(file) {
  for (const needed of ["WebAssembly", "DecompressionStream"]) {
    if (!(needed in window)) throw new Error(`this browser is too old: it has no ${needed}`);
  }
  const bytes = await bytesOf(file);
  if (GZIP.some((byte, k) => bytes[k] !== byte)) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer().catch(() => {
    throw new Error(`${file.path ?? "the game"} is not whole`);
  });
}

// Memory of a module: a stack, then room that is handed out once. Views are good only after the last of it is taken.
class Memory {
  constructor(free) {
    this.free = free + STACK;
    this.stack = new WebAssembly.Global({ value: "i32", mutable: true }, this.free);
    this.memory = new WebAssembly.Memory({ initial: Math.ceil((this.free + PAGE) / PAGE) });
  }

  room(bytes) {
    const at = this.free;
    this.free = Math.ceil((at + bytes) / ALIGNMENT) * ALIGNMENT;
    const missing = this.free - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  view(kind, at, count) {
    return new VIEWS[kind](this.memory.buffer, at, count);
  }

  write(at, numbers) {
    this.view("int64", at, numbers.length).set(numbers.map(BigInt));
  }

  async start(code) {
    const env = { __linear_memory: this.memory, __stack_pointer: this.stack };
    const { instance } = await WebAssembly.instantiate(code, { env });
    return instance.exports;
  }
}

class Game {
  // `longest` is how many pixels the longer side of its pictures may ever have.
  static async load(code, facts, longest = LONGEST) {
    const memory = new Memory(facts.free);
    const game = new Game(memory, await memory.start(code), facts, longest);
    game.reshape(longest);
    return game;
  }

  constructor(memory, loops, facts, longest) {
    [this.memory, this.loops, this.facts, this.longest] = [memory, loops, facts, longest];
    this.at = {};
    const buffers = { ...facts.buffers, picture: ["uint8", 3 * longest * longest, 1] };
    for (const [name, [, bytes]] of Object.entries(buffers)) {
      this.at[name] = name === "raw" ? this.at.records : memory.room(bytes); // `raw` is the record's bytes
    }
    this.tables = {};
    const words = (name) => [this.at[name], buffers[name][2], ...(name === "picture" ? [1, 3] : [])];
    const tables = Object.entries(facts.loops).map(([loop, names]) => [loop, names.flatMap(words)]);
    for (const [loop, table] of tables) this.tables[loop] = memory.room(8 * table.length);
    for (const [loop, table] of tables) memory.write(this.tables[loop], table);
    for (const [name, [kind, bytes]] of Object.entries(buffers)) {
      this[name] = memory.view(kind, this.at[name], bytes / VIEWS[kind].BYTES_PER_ELEMENT);
    }
    this.command = memory.view("int64", this.at.settings + facts.command, 1);
    this.count[0] = BigInt(facts.actions.length);
    this.offered = facts.all_actions.map((name) => Math.max(facts.actions.indexOf(name), 0)); // as `Bot` maps them
    this.configure(facts.settings);
  }

  // `settings` are bytes, without zeros at their end.
  configure(settings) {
    this.settings.fill(0).set(settings);
  }

  call(loop) {
    return this.loops[loop](this.tables[loop], 0n, 1n);
  }

  seed(seed) {
    this.streams.set(startStreams(BigInt(seed), 0n));
  }

  // A new episode; nothing else begins one.
  reset() {
    this.mask.fill(1);
    this.command[0] = 1n;
    this.call("play");
    this.command[0] = 0n;
  }

  // One step with these actions, one for each seat; returns whether the episode ended with it.
  step(actions) {
    actions.forEach((action, seat) => (this.actions[seat] = BigInt(action)));
    const ended = this.call("play");
    if (ended < 0n) throw new Error(`${this.facts.name}: ${FAULTS[Number((-1n - ended) >> 40n)]}`);
    return ended > 0n;
  }

  // What a simple player would do, by seats; `streams` are its own random numbers, a pair.
  advice(kind, streams) {
    const own = this.streams.slice();
    this.streams.set(streams);
    this.call(kind === "heuristic" ? "advise" : "pick");
    streams.splice(0, 2, ...this.streams);
    this.streams.set(own);
    const actions = Array.from(this.actions, Number);
    return kind === "heuristic" ? actions.map((action) => this.offered[action]) : actions;
  }

  // Whose turn it is, in a game in which one acts at a time.
  get mover() {
    return this.facts.turns ? this.raw[this.facts.record.player[1]] : 0;
  }

  // Whether an action is allowed now; true in games that do not say.
  allows(action) {
    return this.legal.length < this.facts.actions.length || this.legal[action] === 1;
  }

  // The action that a click at a place of the picture stands for, in the game's own units; -1: none.
  actionAt(x, y) {
    if (!this.facts.loops.click) return -1;
    this.places.set([x, y]);
    this.call("click");
    return this.offer(Number(this.clicked[0]));
  }

  // The number of one of the game's own actions among those offered; -1 where it is not.
  offer(action) {
    return action < 0 ? -1 : this.facts.actions.indexOf(this.facts.all_actions[action]);
  }

  // Pictures have so many pixels along their longer side from now on.
  reshape(longest) {
    const [width, height] = this.facts.canvas;
    const scale = Math.min(Math.max(longest, 64), this.longest) / Math.max(width, height);
    [this.columns, this.rows] = [Math.round(width * scale), Math.round(height * scale)];
    this.memory.write(this.tables.draw + 8 * 6, [this.rows, 3 * this.columns]); // the table's last words
    this.image = new ImageData(this.columns, this.rows);
    this.words = new Uint32Array(this.image.data.buffer); // a pixel each
  }

  // An ImageData of the picture as a player sees it.
  draw(viewer = SPECTATOR) {
    this.viewers[0] = BigInt(viewer);
    this.call("draw");
    const from = this.picture, to = this.words, pixels = this.rows * this.columns;
    for (let k = 0, a = 0; k < pixels; k++, a += 3) {
      to[k] = OPAQUE | (from[a + 2] << 16) | (from[a + 1] << 8) | from[a];
    }
    return this.image;
  }
}
