"use strict";
// A game's picture, with what people do there: keys, clicks and fingers go to its session, and time passes.

const KEYS = { __proto__: null, ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "space",
  Enter: "return", Tab: "tab", Backspace: "backspace", Delete: "delete", Insert: "insert", Home: "home", End: "end",
  PageUp: "page up", PageDown: "page down" }; // as games name them
const SIDES = { __proto__: null, ShiftLeft: "left shift", ShiftRight: "right shift" }; // by their place on the keyboard
const STEERING = [...Object.keys(ARROWS), "return"]; // keys that choose on a board
const LONG_AGO = 0.25; // seconds: what a page that was hidden has missed is not made up for
const WAYS = ["up", "left", "right", "down"]; // actions with a place of their own among the buttons
const MOST_ROWS = 8; // of keys over the picture; beside it are all
const FEW = 24; // places to choose from that are all marked; of more, only the one under the pointer
const LEAST_SHARE = 0.01; // of an action that is marked on the picture

class Stage {
  constructor(session) {
    [this.session, this.game, this.facts] = [session, session.game, session.facts];
    this.places = new Places(session.game);
    [this.held, this.pointer, this.painted, this.before] = [[], null, "", performance.now()];
    const [width, height] = this.facts.canvas;
    $("#frame").style.setProperty("--wide", width);
    $("#frame").style.setProperty("--high", height);
  }

  // From now on; for pages to call when they are complete.
  start() {
    this.listen();
    this.begin();
    requestAnimationFrame((now) => this.pass(now));
  }

  // What depends on who plays.
  begin() {
    this.showPad();
    this.painted = "";
  }

  // A button for each action of the keys that no click stands for.
  showPad() {
    const pad = $("#pad"), clicked = this.places.all;
    const offered = this.session.people.length ? labels(this.facts.keys).filter(([[key]]) => {
      const action = this.session.keys[0].get(key);
      return action !== undefined && !clicked.has(action);
    }) : [];
    pad.hidden = !offered.length;
    const groups = [true, false].map((ways) => offered.filter(([, what]) => WAYS.includes(what) === ways));
    this.buttons = new Map(); // of actions
    pad.replaceChildren(...groups.map((group) => element("div", "", {}, group.map((row) => this.padButton(row)))));
    pad.firstChild.classList.toggle("cross", groups[0].some(([, what]) => what === "up" || what === "down"));
    pad.lastChild.classList.toggle("many", groups[1].length > 3);
  }

  padButton([[key], what]) {
    const button = element("button", ARROWS[what] ?? what, { "aria-label": what, tabindex: "-1" });
    if (WAYS.includes(what)) button.classList.add(what);
    this.buttons.set(this.session.keys[0].get(key), button);
    button.addEventListener("pointerdown", (event) => (event.preventDefault(), this.hold(key)));
    const ends = ["pointerup", "pointercancel", "pointerleave"];
    for (const end of ends) button.addEventListener(end, () => this.release(key));
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    return button;
  }

  listen() {
    addEventListener("keydown", (event) => this.keyDown(event));
    addEventListener("keyup", (event) => this.release(nameOf(event)));
    addEventListener("blur", () => (this.held = []));
    addEventListener("resize", () => (this.painted = ""));
    const frame = $("#frame");
    frame.addEventListener("pointerdown", (event) => this.point(event));
    frame.addEventListener("pointermove", (event) => {
      this.pointer = event.pointerType === "touch" ? null : this.placeOf(event);
    });
    frame.addEventListener("pointerleave", () => (this.pointer = null));
  }

  point(event) {
    event.preventDefault();
    $("#picture").focus();
    if (this.session.stage === "paused") this.session.resume();
    else this.session.click(...this.placeOf(event));
    this.painted = "";
  }

  // Where the pointer is, in the game's own units.
  placeOf(event) {
    const box = $("#picture").getBoundingClientRect(), [width, height] = this.facts.canvas;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  keyDown(event) {
    const key = nameOf(event), on = event.target, pressing = ["space", "return"].includes(key) && on.closest("a, button");
    if (event.ctrlKey || event.metaKey || event.altKey || pressing || on.closest("select, dialog")) return;
    const playing = this.session.keys.some((keys) => keys.has(key));
    const free = !this.session.people.length && key === "space" ? "pause" : { p: "pause", r: "again", h: "rules" }[key];
    if (!playing && this.choosing(key)) return event.preventDefault();
    const work = free ?? (playing ? null : { n: "once", "+": "faster", "=": "faster", "-": "slower" }[key]);
    if (work) this.command(work);
    else if (event.key.length > 1 && !playing && !STEERING.includes(key)) return; // Tab, F5 and their like
    else if (!event.repeat) this.hold(key);
    if (work || playing || key in ARROWS || key === "space") event.preventDefault();
  }

  // On a board, arrows lead from place to place and Enter chooses, for whom a mouse is not at hand; whether a key did that.
  choosing(key) {
    if (!this.facts.loops.click || !this.session.asked || !STEERING.includes(key)) return false;
    if (key !== "return") this.pointer = this.places.beside(this.pointer, key);
    else if (this.pointer) this.session.click(...this.pointer);
    this.painted = "";
    return true;
  }

  hold(key) {
    this.held = [...this.held.filter((other) => other !== key), key];
    if (this.session.press(key)) this.painted = "";
  }

  release(key) {
    this.held = this.held.filter((other) => other !== key);
  }

  // What keys of the page do, and buttons.
  command(work) {
    const { session } = this;
    if (work === "pause") session.pause();
    else if (work === "again") session.again();
    else if (work === "once") session.advanceOnce();
    else if (work === "faster") session.speed = Math.min(session.speed * 2, FASTEST);
    else if (work === "slower") session.speed = Math.max(session.speed / 2, SLOWEST);
    this.painted = "";
  }

  // Time passes: once for each picture of the screen.
  pass(now) {
    const seconds = Math.min((now - this.before) / 1000, LONG_AGO);
    this.before = now;
    try {
      if (this.runs) this.session.advance(seconds, this.held);
      this.paint();
      requestAnimationFrame((next) => this.pass(next));
    } catch (error) {
      complain(error);
    }
  }

  // Whether time passes for the game.
  get runs() {
    return true;
  }

  paint() {
    const { session } = this, picture = $("#picture");
    const shown = [session.changes, session.stage, this.pointer, picture.clientWidth].join();
    if (shown === this.painted) return;
    this.painted = shown;
    const [columns, rows] = sizeOf($("#marks"));
    const longest = Math.max(columns, rows) || 64;
    if (longest !== this.longest) this.game.reshape((this.longest = longest));
    if (picture.width !== this.game.columns || picture.height !== this.game.rows) {
      [picture.width, picture.height] = [this.game.columns, this.game.rows];
    }
    picture.getContext("2d").putImageData(this.game.draw(session.viewer), 0, 0);
    this.show();
    this.paintMarks();
    for (const [action, button] of this.buttons) {
      button.classList.toggle("asleep", session.asked && !this.game.allows(action));
    }
  }

  // What is told in words, whenever something changed.
  show() {
    const card = $("#card"), told = this.words();
    card.hidden = told === null;
    card.classList.toggle("clear", this.session.stage !== "start");
    const now = card.hidden ? "" : this.session.stage + this.session.players;
    if (now === card.dataset.shows) return;
    card.dataset.shows = now;
    if (card.hidden) return;
    const [title, text, keys, hint] = told;
    setText("#card strong", title);
    setText("#card p", text);
    $("#card dl").replaceChildren(...keys.flatMap(rowOfKeys));
    setText("#card em", hint);
  }

  // Words over the picture while the game stands still: a title, a text, rows of keys, and how it goes on; null: none.
  words() {
    const { session, facts } = this, rows = keysOf(session);
    if (session.stage === "paused") return ["Paused", "", [], "space or p to go on"];
    if (session.stage !== "start") return null;
    const few = rows.slice(0, rows.length > MOST_ROWS && facts.loops.click ? 1 : MOST_ROWS);
    return [facts.name, sentence(facts.summary), few, "press a key, click or tap to start"];
  }

  // Where a person may move, or where the agent would: places with their size, 0 to 1, and whether they are chosen.
  marks() {
    const { session, game } = this, places = [...this.places.all];
    if (session.asked) {
      const aimed = this.pointer ? game.actionAt(...this.pointer) : -1;
      const free = places.filter(([action]) => game.allows(action));
      const shown = places.filter((one) => one[0] === aimed || (free.length <= FEW && free.includes(one)));
      return shown.map(([action, place]) => [place, action === aimed ? 0.4 : 0, action === aimed && game.allows(action)]);
    }
    const decision = session.stage !== "over" && session.decisions.size > 0 && this.reveals ? session.decision : null;
    const likely = decision ? places.filter(([action]) => share(decision, action) >= LEAST_SHARE) : [];
    return likely.map(([action, place]) => [place, share(decision, action), action === decision.chosen]);
  }

  // Whether people may see what the agent thinks.
  get reveals() {
    return false;
  }

  paintMarks() {
    const canvas = $("#marks"), brush = canvas.getContext("2d"), scale = canvas.width / this.facts.canvas[0];
    brush.clearRect(0, 0, canvas.width, canvas.height);
    for (const [[x, y], size, chosen] of this.facts.loops.click ? this.marks() : []) {
      brush.beginPath();
      brush.arc(x * scale, y * scale, (4 + 9 * size) * devicePixelRatio, 0, 7);
      brush.fillStyle = chosen ? "rgb(130 170 255)" : "rgb(232 235 243 / 75%)";
      brush.fill();
      brush.lineWidth = 1.5 * devicePixelRatio;
      brush.strokeStyle = "rgb(11 13 19 / 70%)";
      brush.stroke();
    }
  }
}

const nameOf = (event) => KEYS[event.key] ?? SIDES[event.code] ?? event.key.toLowerCase();

// The keys of people who play, as rows of `labels`.
function keysOf(session) {
  const { facts } = session, own = [facts.keys, facts.second_keys];
  const rows = session.keys.flatMap((keys, k) => {
    const shown = labels(own[k].filter(([key]) => keys.has(key)));
    const whose = session.keys.length > 1 ? ` (${facts.player_names[session.people[k]]})` : "";
    return shown.map(([names, what]) => [names, what + whose]);
  });
  const steering = STEERING.filter((key) => !session.keys.some((keys) => keys.has(key)));
  return facts.loops.click ? [[["click"], "choose"], [steering, "choose"], ...rows] : rows;
}

// An action's probability, or how near its value is to the greatest: 0 to 1.
function share(decision, action) {
  const { numbers, worth } = decision;
  if (!worth) return numbers[action];
  if (numbers[action] === -Infinity) return 0;
  const allowed = numbers.filter((value) => value > -Infinity), best = Math.max(...allowed), least = Math.min(...allowed);
  const span = Math.max(best - least, 0.1 * Math.max(Math.abs(best), Math.abs(least)), 1e-6); // so that trifles look like it
  return 1 - (0.92 * (best - numbers[action])) / span;
}

// Something is wrong with the page: one line in place of the game.
function complain(error) {
  const card = $("#card");
  card.hidden = false;
  card.replaceChildren(element("strong", "This game cannot be played"), element("p", error.message));
  setText("#status span", "stopped");
}
