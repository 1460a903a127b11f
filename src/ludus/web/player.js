"use strict";
// The page of one game: loads it, hands keys, clicks, touches and time to its session, and paints what that tells.

const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "space", Enter: "return" };
const LONG_AGO = 0.25; // seconds: what a page that was hidden has missed is not made up for
const FROM_DISK = "opened from disk, a page may not load what lies beside it: serve the folder, as with " +
  "`python -m http.server`, or export it with --single-file";
const WAYS = ["up", "left", "right", "down"]; // actions with a place of their own among the buttons

class Player {
  constructor(session) {
    [this.session, this.game, this.facts] = [session, session.game, session.facts];
    [this.panel, this.places] = [new Panel(session), new Places(session.game)];
    [this.held, this.pointer, this.painted, this.before] = [[], null, "", performance.now()];
    const [width, height] = this.facts.canvas;
    $("#frame").style.setProperty("--wide", width);
    $("#frame").style.setProperty("--high", height);
    this.offerPlayers();
    this.listen();
    this.begin();
    requestAnimationFrame((now) => this.pass(now));
  }

  offerPlayers() {
    const names = { you: "you", agent: "the agent", heuristic: "the simple player", random: "at random" };
    const kinds = kindsOf(this.facts), rows = this.session.players.map((player, seat) => {
      const name = this.facts.players === 1 ? "played by" : this.facts.player_names[seat];
      const choice = element("select", "", {}, kinds.map((kind) => element("option", names[kind], { value: kind })));
      choice.value = player;
      choice.addEventListener("change", () => this.reseat(seat, choice.value));
      return element("label", "", {}, [element("span", name), choice]);
    });
    $("#seats div").replaceChildren(...rows, ...(this.session.players.includes("agent") ? this.drawing() : []));
  }

  // The choice between an agent's best actions and drawn ones, for agents that have it.
  drawing() {
    if (!this.session.network.draws) return [];
    const kinds = { best: "its best action", drawn: "by its probabilities" };
    const options = Object.keys(kinds).map((kind) => element("option", kinds[kind], { value: kind }));
    const choice = element("select", "", { id: "drawing" }, options);
    choice.value = this.session.sampled ? "drawn" : "best";
    choice.addEventListener("change", () => {
      this.session.sampled = choice.value === "drawn";
      $("#picture").focus();
    });
    return [element("label", "", {}, [element("span", "the agent takes"), choice])];
  }

  // Give a seat to somebody else. A keyboard has room for two, where people act together.
  reseat(seat, kind) {
    const players = this.session.players.with(seat, kind), together = this.facts.seats > 1;
    const people = players.flatMap((player, k) => (player === "you" && k !== seat ? [k] : []));
    const room = !together ? players.length : this.facts.second_keys.length ? 2 : 1;
    if (kind === "you") for (const k of people.slice(room - 1)) players[k] = kindsOf(this.facts)[1];
    this.session.seat(players);
    this.offerPlayers();
    this.begin();
    $("#picture").focus();
  }

  // What depends on who plays.
  begin() {
    this.panel.showPlayers();
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
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.painted = ""));
    document.addEventListener("click", (event) => {
      const work = event.target.closest("button[data-do]")?.dataset.do;
      if (work) this.command(work);
      if (work && event.detail && work !== "rules") $("#picture").focus(); // keys go to the game again
    });
    const frame = $("#frame");
    frame.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      $("#picture").focus();
      if (this.session.stage === "paused") this.session.resume();
      else this.session.click(...this.placeOf(event));
      this.painted = "";
    });
    frame.addEventListener("pointermove", (event) => {
      this.pointer = event.pointerType === "touch" ? null : this.placeOf(event);
    });
    frame.addEventListener("pointerleave", () => (this.pointer = null));
  }

  // Where the pointer is, in the game's own units.
  placeOf(event) {
    const box = $("#picture").getBoundingClientRect(), [width, height] = this.facts.canvas;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  keyDown(event) {
    const key = nameOf(event), on = event.target, pressing = ["space", "return"].includes(key) && on.closest("button");
    if (event.ctrlKey || event.metaKey || event.altKey || pressing || on.closest("select, dialog")) return;
    const playing = this.session.keys.some((keys) => keys.has(key));
    const free = !this.session.people.length && key === "space" ? "pause" : { p: "pause", r: "again", h: "rules" }[key];
    const work = free ?? (playing ? null : { n: "once", "+": "faster", "=": "faster", "-": "slower" }[key]);
    if (work) this.command(work);
    else if (event.key.length > 1 && !(event.key in KEYS)) return; // Tab, Shift, F5 and their like
    else if (!event.repeat) this.hold(key);
    if (work || playing || key in ARROWS || key === "space") event.preventDefault();
  }

  hold(key) {
    this.held = [...this.held.filter((other) => other !== key), key];
    if (this.session.press(key)) this.painted = "";
  }

  release(key) {
    this.held = this.held.filter((other) => other !== key);
  }

  // What a button of the page does.
  command(work) {
    const { session } = this, rules = $("#rules");
    if (work === "pause") session.pause();
    else if (work === "again") session.again();
    else if (work === "once") session.advanceOnce();
    else if (work === "faster") session.speed = Math.min(session.speed * 2, FASTEST);
    else if (work === "slower") session.speed = Math.max(session.speed / 2, SLOWEST);
    else if (work === "full") document.fullscreenElement ? document.exitFullscreen() : $("#game").requestFullscreen?.();
    else if (rules.open) rules.close();
    else fillRules(this.facts, this.panel.keys()), rules.showModal();
    this.painted = "";
  }

  // Time passes: once for each picture of the screen.
  pass(now) {
    const seconds = Math.min((now - this.before) / 1000, LONG_AGO);
    this.before = now;
    try {
      if (!$("#rules").open) this.session.advance(seconds, this.held);
      this.paint();
      requestAnimationFrame((next) => this.pass(next));
    } catch (error) {
      complain(error);
    }
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
    this.panel.show();
    this.paintMarks();
    for (const [action, button] of this.buttons) {
      button.classList.toggle("asleep", session.asked && !this.game.allows(action));
    }
  }

  // Where a person may move, or where the agent would: places with their size, 0 to 1, and whether they are chosen.
  marks() {
    const { session, game } = this, places = [...this.places.all];
    if (session.asked) {
      const aimed = this.pointer ? game.actionAt(...this.pointer) : -1;
      const free = places.filter(([action]) => game.allows(action));
      const shown = free.length > FEW ? free.filter(([action]) => action === aimed) : free;
      return shown.map(([action, place]) => [place, action === aimed ? 0.2 : 0, action === aimed]);
    }
    const thinking = session.stage !== "over" && !$("#decision").hidden && session.decisions.size > 0;
    const decision = thinking ? session.decision : null;
    const likely = decision ? places.filter(([action]) => share(decision, action) >= LEAST_SHARE) : [];
    return likely.map(([action, place]) => [place, share(decision, action), action === decision.chosen]);
  }

  paintMarks() {
    const canvas = $("#marks"), brush = canvas.getContext("2d"), scale = canvas.width / this.facts.canvas[0];
    brush.clearRect(0, 0, canvas.width, canvas.height);
    for (const [[x, y], size, chosen] of this.session.facts.loops.click ? this.marks() : []) {
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

const nameOf = (event) => KEYS[event.key] ?? event.key.toLowerCase();

// Something is wrong with the page: one line in place of the game.
function complain(error) {
  const card = $("#card");
  card.hidden = false;
  card.replaceChildren(element("strong", "This game cannot be played"), element("p", error.message));
  setText("#status span", "stopped");
}

// Bytes of a file beside the page, or of the page itself, where they are in base64.
async function bytesOf(file) {
  if (file.base64) return Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
  if (location.protocol === "file:") throw new Error(FROM_DISK);
  return new Uint8Array(await (await fetched(file.path)).arrayBuffer());
}

// Who may have a seat.
function kindsOf(facts) {
  const has = { you: true, agent: "agent" in facts, heuristic: "advise" in facts.loops, random: true };
  return Object.keys(has).filter((kind) => has[kind]);
}

// What the address says behind # or, without, the page: the seed of chance, and who has which seat, as in
// #seed=7&players=you,agent.
function asked(facts) {
  const words = new URLSearchParams(location.hash.slice(1) || facts.begin);
  const seed = /^\d{1,20}$/.test(words.get("seed")) ? words.get("seed") : Math.floor(Math.random() * 2 ** 52);
  const kinds = kindsOf(facts), given = words.get("players")?.split(",") ?? [];
  const at = (seat) => (kinds.includes(given[seat]) ? given[seat] : kinds[seat ? 1 : 0]);
  return [BigInt(seed), Array.from({ length: facts.players }, (_, seat) => at(seat))];
}

async function begin() {
  const facts = JSON.parse($("#facts-of-page").textContent), [seed, players] = asked(facts);
  const needed = [facts.code, facts.agent?.code, facts.agent?.weights];
  const [code, loops, weights] = await Promise.all(needed.map((file) => file && bytesOf(file)));
  const game = await Game.load(code, facts);
  const network = facts.agent ? await Network.load(loops, weights, facts.agent) : null;
  game.seed(seed);
  window.player = new Player(new Session(game, network, players, seed));
  document.documentElement.dataset.ready = "yes";
}

begin().catch(complain);
