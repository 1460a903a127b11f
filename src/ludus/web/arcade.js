"use strict";
// The first page of a site: a card for each game, what finds them, and one game at the top that people can play there.

const IDLE_FOR = 20; // seconds after the end of a game in which nobody begins another
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// The game at the top: it plays itself until somebody takes over.
class Hero extends Stage {
  constructor(session) {
    super(session);
    this.seen = true;
    this.start();
  }

  get taken() {
    return this.session.people.length > 0;
  }

  take() {
    this.session.seat(simplePlayers(this.facts).with(0, "you"));
    this.session.speed = 1;
    this.session.resume();
    this.begin();
    $("#picture").focus({ preventScroll: true });
    $("#cabinet").scrollIntoView({ block: "nearest" });
  }

  leave() {
    this.session.seat(simplePlayers(this.facts));
    this.session.speed = paceOf(this.facts);
    this.begin();
  }

  listen() {
    super.listen();
    $("#picture").setAttribute("aria-label", `${this.facts.name}: Enter to play, Escape to leave`);
    $("#take").addEventListener("click", () => (this.taken ? this.leave() : this.take()));
    $("#frame").addEventListener("click", () => {
      if (!this.taken) this.take();
      else if (this.session.stage === "over" && this.session.rested >= REST) this.session.again();
    });
    $("#hero-keys").replaceChildren(...labels(this.facts.keys).map((row) => element("div", "", {}, rowOfKeys(row))));
  }

  point(event) {
    if (this.taken) super.point(event);
  }

  // Keys are the game's only while its picture has the focus.
  keyDown(event) {
    if (event.target.id !== "picture") return;
    if (this.taken && event.key === "Escape") this.leave();
    else if (this.taken) super.keyDown(event);
    else if (["space", "return"].includes(nameOf(event))) (event.preventDefault(), this.take());
  }

  get runs() {
    return this.taken || (moving && this.seen);
  }

  pass(now) {
    super.pass(now);
    if (this.taken && this.session.stage === "over" && this.session.rested > IDLE_FOR) this.leave();
  }

  words() {
    if (!this.taken) return null;
    if (this.session.stage !== "over") return super.words();
    return [this.session.outcome, this.session.result, [], "space, click or tap to play again"];
  }

  show() {
    super.show();
    const { session, facts, taken } = this, alone = facts.players === 1;
    setText("#take span", taken ? "Leave the game" : `Play ${facts.name}`);
    setText("#take i", taken ? "■" : "▶");
    setText("#status span", taken ? session.status : "demo");
    setText("#lcd span", alone ? "score" : "move");
    setText("#score", alone ? number(session.scores[0]) : String(session.steps));
    const action = session.actions[session.me] ?? session.actions[0], name = facts.actions[action] ?? "";
    const way = WAYS.find((one) => name.includes(one)) ?? "";
    $("#stick").dataset.way = session.stage === "playing" ? way : "";
    $("#fire").classList.toggle("on", session.stage === "playing" && !way && name !== "" && action !== session.idle);
  }
}

// What is looked for

const shown = () => cards.filter((card) => !card.node.hidden);
const search = $("#find input");

function sift() {
  const kind = $("#tools input:checked").value, wanted = search.value.toLowerCase().split(/\s+/);
  for (const card of cards) card.node.hidden = !card.suits(kind, wanted);
  const count = shown().length;
  setText("#found", `${count} of ${cards.length} games`);
  $("#nothing").hidden = count > 0;
}

function showAll() {
  search.value = "";
  $("#tools input[value='']").checked = true;
  sift();
}

// The card that a key leads to from another, as they lie on the page.
function beside(card, key) {
  const all = shown(), k = all.indexOf(card), top = all[0].node.offsetTop;
  const columns = all.filter(({ node }) => node.offsetTop === top).length;
  const last = Math.floor((all.length - 1) / columns) === Math.floor(k / columns) ? card : all.at(-1);
  return { ArrowLeft: all[k - 1], ArrowRight: all[k + 1], ArrowUp: all[k - columns], ArrowDown: all[k + columns] ?? last,
    Home: all[0], End: all.at(-1) }[key];
}

function keyDown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const on = event.target, card = cards.find(({ link }) => link === on);
  const next = card ? beside(card, event.key) : on === search && event.key === "ArrowDown" ? shown()[0] : undefined;
  if (next) next.link.focus();
  else if (event.key === "/" && on !== search) search.focus();
  else return;
  event.preventDefault();
}

function listen() {
  addEventListener("keydown", keyDown);
  addEventListener("pageshow", sift); // what a browser has filled in again
  $("#tools").addEventListener("input", sift);
  $("#tools").addEventListener("submit", (event) => (event.preventDefault(), shown()[0]?.link.click()));
  $("#nothing button").addEventListener("click", () => (showAll(), search.focus()));
  $("#surprise").addEventListener("click", () => {
    const all = shown().length ? shown() : cards;
    all[Math.floor(Math.random() * all.length)].link.click();
  });
  $("#still").addEventListener("click", () => move(!moving));
  calm.addEventListener("change", () => move(!calm.matches));
}

// What moves

let moving = true;
const playing = new Set(); // cards that are seen

function move(yes) {
  moving = yes;
  $("#still").setAttribute("aria-pressed", String(!yes));
}

function pass(now) {
  for (const card of moving ? playing : []) attempt(card, () => card.pass(now));
  requestAnimationFrame(pass);
}

// Do something with a card, which says so if it fails, and stops.
async function attempt(card, work) {
  try {
    await work();
  } catch (error) {
    playing.delete(card);
    $(".about", card.node).textContent = error.message;
  }
}

function see(card, seen) {
  playing.delete(card);
  card.seen = seen;
  return seen && attempt(card, async () => {
    await card.show();
    if (card.seen) playing.add(card);
  });
}

async function begin() {
  const top = facts.games.find(({ name }) => name === facts.top);
  const hero = await begun(top, LONGEST).then((session) => new Hero(session)).catch(complain);
  const owners = new Map(cards.map((card) => [card.picture, (seen) => see(card, seen)]));
  if (hero) owners.set($("#frame"), (seen) => (hero.seen = seen));
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) owners.get(target)(isIntersecting);
  });
  for (const node of owners.keys()) watcher.observe(node);
  requestAnimationFrame(pass);
  window.hero = hero;
  document.documentElement.dataset.ready = "yes";
}

const facts = JSON.parse($("#facts-of-page").textContent);
const cards = [...document.querySelectorAll("#games li")].map((node, k) => new Card(node, facts.games[k]));
move(!calm.matches);
listen();
sift();
begin();
