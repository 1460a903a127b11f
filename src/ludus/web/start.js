"use strict";
// The first page of a site: a card for each game, in which its simple player plays while the card is seen.

const CARD = 220; // pixels of a card's picture
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const playing = new Map(); // cards that are seen -> their sessions

function cardOf(game) {
  const picture = element("canvas", "", { width: CARD, height: CARD, "aria-hidden": "true" });
  const words = [element("strong", game.name), element("span", asTold(game.summary))];
  const link = element("a", "", { href: game.page }, [picture, ...words]);
  const card = element("li", "", {}, [link]);
  Object.assign(card, { game, picture, session: null });
  return card;
}

// Load a card's game when it is first seen, and play it only then.
async function seen(card) {
  card.session ??= begin(card);
  const session = await card.session;
  if (card.visible) playing.set(card, session);
  paint(card, session);
}

async function begin(card) {
  const facts = await (await fetched(card.game.facts)).json();
  const game = await Game.load(await (await fetched(facts.code.path)).arrayBuffer(), facts);
  game.seed(Math.floor(Math.random() * 2 ** 52));
  game.reshape(CARD);
  [card.picture.width, card.picture.height] = [game.columns, game.rows];
  const kind = facts.loops.advise ? "heuristic" : "random";
  return new Session(game, null, new Array(facts.players).fill(kind), BigInt(Date.now()));
}

function paint(card, session) {
  if (card.painted === session.changes) return;
  card.painted = session.changes;
  card.picture.getContext("2d").putImageData(session.game.draw(session.viewer), 0, 0);
}

let before = performance.now();
function pass(now) {
  const seconds = Math.min((now - before) / 1000, 0.25);
  before = now;
  for (const [card, session] of calm.matches ? [] : playing) {
    session.advance(seconds, []);
    paint(card, session);
  }
  requestAnimationFrame(pass);
}

const watcher = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
  target.visible = isIntersecting;
  if (isIntersecting) seen(target).catch((error) => target.querySelector("span").textContent = error.message);
  else playing.delete(target);
}));

const cards = JSON.parse($("#facts-of-page").textContent).map(cardOf);
$("#games ul").append(...cards);
cards.forEach((card) => watcher.observe(card));
requestAnimationFrame(pass);
document.documentElement.dataset.ready = "yes";
