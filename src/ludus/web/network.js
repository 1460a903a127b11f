"use strict";
// An agent's network: its layers as loops of one WebAssembly module, for one observation at a time; see agent.py.

const CLIP = 10; // of standardized observations
const ACTIVATIONS = { relu: (x) => Math.max(x, 0), tanh: Math.tanh, silu: (x) => x / (1 + Math.exp(-x)) };

class Network {
  static async load(code, weights, facts) {
    if (weights.length !== facts.bytes) {
      throw new Error(`the agent's weights are not whole: ${weights.length} bytes of ${facts.bytes}`);
    }
    const memory = new Memory(facts.free);
    return new Network(memory, await memory.start(code), weights, facts);
  }

  constructor(memory, loops, weights, facts) {
    this.facts = facts;
    const rows = facts.sizes.map((size) => [memory.room(4 * size), size]), copies = [];
    let read = 0;
    const room = (shape) => {
      const bytes = 4 * shape.reduce((a, b) => a * b, 1), at = memory.room(bytes);
      copies.push([at, weights.subarray(read, (read += bytes))]);
      return [at, ...shape];
    };
    const plans = facts.layers.map((layer) => {
      const [from, to] = [rows[layer.from], rows[layer.to]], arrays = layer.weights.map(room);
      if (!(layer.loop in loops)) return { layer, from, to, arrays };
      const x = layer.first === undefined ? from : [from[0] + 4 * layer.first, layer.weights[0][0]];
      const sizes = layer.sizes ? [memory.room(8 * layer.sizes.length), layer.sizes.length] : [];
      const words = [...x, ...arrays.flat(), ...(layer.loop === "dense" ? to : [...sizes, ...to])];
      return { layer, sizes, words, table: memory.room(8 * words.length) };
    });
    for (const [at, bytes] of copies) memory.view("uint8", at, bytes.length).set(bytes); // all room is taken now
    this.rows = rows.map(([at, size]) => memory.view("float32", at, size));
    this.steps = plans.map((plan) => this.prepare(memory, loops, plan));
  }

  // What computes a layer.
  prepare(memory, loops, { layer, sizes, words, table, arrays }) {
    const [from, to] = [this.rows[layer.from], this.rows[layer.to]];
    if (table !== undefined) {
      if (sizes.length) memory.write(sizes[0], layer.sizes);
      memory.write(table, words);
      return () => loops[layer.loop](table, 0n, 1n);
    }
    if (layer.loop === "standardize") {
      const [mean, scale] = arrays.map(([at, count]) => memory.view("float32", at, count));
      const within = (x) => Math.min(Math.max(x, -CLIP), CLIP);
      return () => to.forEach((_, k) => (to[k] = within(Math.fround(from[k] - mean[k]) * scale[k])));
    }
    const activation = ACTIVATIONS[layer.loop];
    return () => to.forEach((_, k) => (to[k] = activation(from[k])));
  }

  // Numbers of the last layers, for an observation.
  outputs(observation) {
    this.rows[0].set(observation);
    for (const step of this.steps) step();
    return this.facts.outs.map((row) => Array.from(this.rows[row]));
  }

  // Whether actions can be drawn: a policy has probabilities, action values have none.
  get draws() {
    return this.facts.kind === "policy";
  }

  // An action for what a game shows from a row of its observations, the best or one drawn, with a number for each action.
  decide(game, row, drawn = false) {
    const size = this.rows[0].length, [first, second] = this.outputs(game.obs.subarray(row * size, (row + 1) * size));
    const worth = !this.draws, mean = first.reduce((a, b) => a + b) / first.length;
    const raw = this.facts.kind === "duel" ? first.map((x) => second[0] + x - mean) : first;
    const allowed = raw.map((x, action) => (game.allows(action) ? x : -Infinity)), best = Math.max(...allowed);
    const numbers = worth ? allowed : softmax(allowed, best);
    const chosen = drawn && !worth ? draw(numbers) : allowed.indexOf(best);
    return { numbers, worth, chosen, value: worth ? best : second[0] };
  }
}

function softmax(logits, greatest) {
  const weights = logits.map((x) => Math.exp(x - greatest)), sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

// One of these, by their probabilities.
function draw(probabilities) {
  let left = Math.random();
  const found = probabilities.findIndex((probability) => (left -= probability) < 0);
  return found < 0 ? probabilities.indexOf(Math.max(...probabilities)) : found; // sums are never quite 1
}
