"use strict";
// Players in a game: what their keys do, what time does, and what there is to tell of it. No page is known here.

const IDLE = ["noop", "stay"]; // names of the action taken where no key is held; without them, the last one goes on
const THINKING = 0.5; // seconds that an opponent takes for a move
const REPEAT_AFTER = 0.3; // seconds after which a key that is held acts again in a game that waits
const REST = 0.6; // seconds after the end of a game in which keys that were meant for it start no other
const LAST_PICTURE = 2.5; // seconds for which the end of a game that is watched stays
const BUDGET = 20; // milliseconds that the steps between two pictures may take
const SLOWEST = 1 / 8, FASTEST = 64; // times the game's own pace
const RESERVED = new Set(["p", "r", "h"]); // keys of the page, which no game may take

class Session {
  // `players` are words by seats: you, agent, heuristic or random; `network` is the agent's, or null; `seed` is a BigInt.
  constructor(game, network, players, seed) {
    [this.game, this.network, this.seed] = [game, network, seed];
    [this.facts, this.waits, this.turns] = [game.facts, game.facts.waits, game.facts.turns];
    this.idle = IDLE.map((name) => this.facts.actions.indexOf(name)).find((action) => action >= 0);
    [this.speed, this.sampled, this.stage, this.changes] = [1, false, "start", 0]; // start, playing, paused, over
    this.lasting = LAST_PICTURE;
    this.seat(players);
  }

  // Who plays from now on, in a new game or, if that is wanted, in this one, unless a person would be surprised.
  seat(players, keep = false) {
    const ready = this.waits || this.people?.length, going = keep && ready && ["playing", "paused"].includes(this.stage);
    this.players = players;
    this.people = players.flatMap((player, seat) => (player === "you" ? [seat] : []));
    this.streams = players.map((_, seat) => startStreams(this.seed + BigInt(seat), PLAYERS));
    this.keys = this.maps().map((keys) => this.offered(keys));
    this.game.configure(this.people.length ? this.facts.settings_of_people : this.facts.settings);
    if (going) return this.think();
    this.returns = []; // of the games that ended
    this.restart();
    this.stage = this.people.length ? "start" : "playing";
  }

  // The keys of each person: everybody's are the same where one acts at a time.
  maps() {
    const { keys, second_keys: second, seats } = this.facts;
    if (seats === 1 || this.people.length < 2) return [keys];
    const taken = new Set(second.map(([key]) => key));
    return [keys.filter(([key]) => !taken.has(key)), second];
  }

  offered(keys) {
    const found = keys.map(([key, name]) => [key, this.facts.actions.indexOf(name)]);
    return new Map(found.filter(([key, action]) => action >= 0 && !RESERVED.has(key)));
  }

  restart() {
    this.game.reset();
    this.scores = new Array(this.facts.players).fill(0);
    [this.steps, this.due, this.rested, this.refused] = [0, 0, 0, false];
    [this.tapped, this.last, this.values] = [[], new Map(), []];
    [this.actions, this.truncated] = [[], false]; // of the last step
    this.think();
  }

  // What people do

  // A key of the game, or one that goes on from wherever the game stands still; returns whether it meant anything.
  press(key) {
    if (this.stage === "start" || (this.stage === "paused" && ["space", "return"].includes(key))) this.resume();
    else if (this.stage === "over" && ["space", "return"].includes(key)) {
      if (this.rested >= REST) this.again();
    } else if (this.stage === "playing" && this.keys.some((keys) => keys.has(key))) this.tap(key);
    else return false;
    return true;
  }

  tap(key) {
    if (!this.waits) return this.tapped.push(key);
    this.due = -REPEAT_AFTER * this.facts.fps;
    this.move(this.keys[0].get(key));
  }

  click(x, y) {
    if (this.stage === "start") return this.resume();
    const action = this.stage === "playing" ? this.game.actionAt(x, y) : -1;
    if (action >= 0) this.move(action);
  }

  // A person's action in a game that waits for it.
  move(action) {
    if (!this.people.includes(this.game.mover)) return;
    this.refused = !this.game.allows(action);
    this.changes++;
    if (!this.refused) this.step([action]);
  }

  resume() {
    this.stage = "playing";
    this.changes++;
  }

  pause() {
    if (this.stage === "playing") this.stage = "paused";
    else if (this.stage === "paused" || this.stage === "start") this.stage = "playing";
    else this.again();
    this.changes++;
  }

  again() {
    this.restart();
    this.resume();
  }

  // One step by itself, while the game is paused.
  advanceOnce() {
    const over = this.stage === "over";
    this.stage = "paused";
    if (over) this.restart();
    else if (!this.people.includes(this.game.mover) || !this.waits) this.step(this.choose([]) ?? [0]);
    this.changes++;
  }

  // What time does

  // Take the steps that are due; `held` are the keys that are down, the last pressed last.
  advance(seconds, held) {
    if (this.stage !== "playing") {
      this.rested += seconds;
      if (this.stage === "over" && !this.people.length && this.rested >= this.lasting) this.again();
      return;
    }
    this.due += seconds * this.facts.fps * this.speed;
    if (this.waits && this.people.length) return this.wait(held);
    const deadline = performance.now() + BUDGET;
    while (this.due >= 1 && this.stage === "playing") {
      this.due -= 1;
      const actions = this.choose(held);
      if (actions) this.step(actions);
      if (performance.now() > deadline) this.due = Math.min(this.due, 0);
    }
  }

  // In a game that waits: an opponent thinks for a while, and a key that is held acts again and again.
  wait(held) {
    const down = held.filter((key) => this.keys[0].has(key));
    if (!this.people.includes(this.game.mover)) {
      if (this.due >= THINKING * this.facts.fps) this.step(this.choose(held));
    } else if (this.turns || !down.length) this.due = Math.min(this.due, 0);
    else if (this.due >= 1) {
      this.due -= 1;
      this.move(this.keys[0].get(down.at(-1)));
    }
  }

  // Everybody's action, by seats: people's keys, and what the others decide; null: not begun yet.
  choose(held) {
    if (this.turns) return [this.decide(this.players[this.game.mover], this.game.mover, 0)];
    const actions = this.players.map((player, seat) =>
      player === "you" ? this.keyed(seat, held) : this.decide(player, seat, seat));
    this.tapped = [];
    return actions.includes(undefined) ? null : actions;
  }

  keyed(seat, held) {
    const keys = this.keys[Math.min(this.people.indexOf(seat), this.keys.length - 1)];
    const pressed = [...held, ...this.tapped].filter((key) => keys.has(key));
    const action = pressed.length ? keys.get(pressed.at(-1)) : this.idle ?? this.last.get(seat);
    this.last.set(seat, action);
    return action;
  }

  // What a player does that is no person; `row` is its place among those who act at once.
  decide(player, seat, row) {
    if (player === "agent") return this.decisions.get(seat).chosen;
    return this.game.advice(player, this.streams[seat])[row];
  }

  step(actions) {
    const over = this.game.step(actions);
    this.actions = actions;
    this.scores = this.scores.map((score, seat) => score + this.game.reward[seat]);
    this.steps++;
    this.changes++;
    if (this.turns) this.due = Math.min(this.due, 0);
    if (!over) return this.think();
    [this.stage, this.rested] = ["over", 0];
    this.truncated = this.game.truncated[0] === 1;
    this.returns.push(this.scores[this.me]);
  }

  // What agents make of the state, before they act on it: `decisions` by seats, and the return expected so far.
  think() {
    const asked = this.turns ? [this.game.mover] : this.players.keys();
    const seats = [...asked].filter((seat) => this.players[seat] === "agent");
    const decision = (seat) => this.network.decide(this.game, this.turns ? 0 : seat, this.sampled);
    this.decisions = new Map(seats.map((seat) => [seat, decision(seat)]));
    if (seats.length) [this.decision, this.thinker] = [this.decisions.get(seats[0]), seats[0]];
    else if (!this.players.includes("agent")) this.decision = null;
    if (seats.length) this.values.push(this.decision.value);
  }

  // What there is to tell

  // The seat whose score counts: the first that a person has.
  get me() {
    return this.people[0] ?? 0;
  }

  // Whose view the picture is: the only person's, or of those two the one to move.
  get viewer() {
    const open = this.facts.players === 1 || this.facts.seats > 1; // everybody sees everything
    if (open || this.stage === "over" || !this.people.length) return SPECTATOR;
    return this.people.length > 1 ? this.game.mover : this.me;
  }

  // Whether a person is to move now.
  get asked() {
    return this.stage === "playing" && this.people.includes(this.game.mover);
  }

  get who() {
    if (this.facts.players === 1 || !this.people.length) return this.people.length ? "you" : "";
    return `you: ${this.people.map((seat) => this.facts.player_names[seat]).join(" and ")}`;
  }

  // What goes on, in a few words.
  get status() {
    if (this.stage === "over" && this.truncated) return "time is up";
    if (this.stage === "playing" && this.refused) return "not allowed now";
    if (this.stage === "playing" && this.turns) {
      const name = this.facts.player_names[this.game.mover];
      if (this.asked) return this.people.length > 1 ? `${name} to move` : "your move";
      return this.people.length ? `${name} is thinking` : `${name} to move`;
    }
    return { start: "ready", playing: "playing", paused: "paused", over: "game over" }[this.stage];
  }

  // How it ended, in two words.
  get outcome() {
    if (this.truncated) return "Time is up";
    if (this.facts.players === 1) return "Game over";
    const best = Math.max(...this.scores), sum = this.scores.reduce((a, b) => a + b);
    const draw = sum === 0 ? "A draw" : "Game over"; // who play together all get the same
    const first = this.scores.indexOf(best), name = this.facts.player_names[first];
    if (this.people.length !== 1) {
      return this.scores.lastIndexOf(best) > first ? draw : `${name.charAt(0).toUpperCase()}${name.slice(1)} wins`;
    }
    const mine = this.scores[this.me], others = Math.max(...this.scores.filter((_, seat) => seat !== this.me));
    return mine > others ? "You win" : mine < others ? "You lose" : draw;
  }

  // The score, or everybody's.
  get result() {
    if (this.facts.players > 1) {
      return this.scores.map((score, seat) => `${this.facts.player_names[seat]}: ${number(score)}`).join(", ");
    }
    const best = Math.max(...this.returns), mine = this.returns.length > 1 && this.scores[0] === best;
    return `Score ${number(this.scores[0])}. ${mine ? "The best so far" : `Best: ${number(best)}`}.`;
  }
}

// A number for people: 3, 3.25, -1.
function number(value, digits = 2) {
  return String(Number(value.toFixed(digits)) + 0);
}
