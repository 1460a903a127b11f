"use strict";
// A card of the first page: a game that its simple player plays, as long as it is seen.

const SHARPEST = 320; // pixels of a card's picture at most, whatever the screen could show
const RATE = 16; // pictures a second at most
const CALM = 3; // moves a second at most, where a game waits for people
const WARM = 30; // steps at most before a card is first seen, so that boards are not empty
const PATIENCE = 10; // milliseconds that these may take
const LAST_LOOK = 1.2; // seconds for which the end of a game stays

class Card {
  constructor(node, facts) {
    [this.node, this.facts, this.link, this.picture] = [node, facts, $("a", node), $("canvas", node)];
    [this.kind, this.words] = [node.dataset.kind, node.textContent.toLowerCase()];
    [this.session, this.before, this.painted] = [null, 0, -1];
  }

  // Whatever is looked for is in its words.
  suits(kind, wanted) {
    return (!kind || kind === this.kind) && wanted.every((word) => this.words.includes(word));
  }

  // Load the game when it is first seen, and as sharp as it is shown now.
  async show() {
    this.session ??= await (this.loading ??= begun(this.facts, SHARPEST));
    const longest = Math.min(Math.round(this.picture.clientWidth * devicePixelRatio), SHARPEST);
    if (longest !== this.longest) {
      this.session.game.reshape((this.longest = longest));
      [this.picture.width, this.picture.height] = [this.session.game.columns, this.session.game.rows];
      this.painted = -1;
    }
    if (this.painted < 0) this.surround(this.paint());
  }

  pass(now) {
    const seconds = (now - this.before) / 1000;
    if (seconds < 1 / RATE) return;
    this.before = now;
    this.session.advance(Math.min(seconds, LONG_AGO), []);
    if (this.painted !== this.session.changes) this.paint();
  }

  paint() {
    this.painted = this.session.changes;
    const image = this.session.game.draw(this.session.viewer);
    this.picture.getContext("2d").putImageData(image, 0, 0);
    return image;
  }

  // Where a picture leaves room above and below it, or beside it, that has the colours of its corners.
  surround({ data, width, height }) {
    const color = (at) => `rgb(${data.slice(4 * at, 4 * at + 3).join(" ")})`, style = this.picture.style;
    style.setProperty("--above", color(0));
    style.setProperty("--below", color(width * (height - 1)));
    style.setProperty("--horizon", height > width ? "94%" : "50%");
  }
}

// A game in which simple players have all seats, some steps after its beginning; `longest` is of its pictures, in pixels.
async function begun(facts, longest) {
  const game = await Game.load(await codeOf(facts.code), facts, longest);
  game.seed(Math.floor(Math.random() * 2 ** 52));
  const session = new Session(game, null, simplePlayers(facts), BigInt(Date.now()));
  [session.speed, session.lasting] = [paceOf(facts), LAST_LOOK];
  const deadline = performance.now() + PATIENCE;
  for (let left = WARM * Math.random(); left > 0 && performance.now() < deadline; left--) {
    if (session.stage === "over") session.again();
    session.step(session.choose([]));
  }
  return session;
}

const paceOf = (facts) => (facts.waits ? Math.min(CALM / facts.fps, 1) : 1);
const simplePlayers = (facts) => new Array(facts.players).fill(facts.loops.advise ? "heuristic" : "random");
