"use strict";
// Where on the picture each action is, found by clicking at many points of it; see ludus.envs.viewer.places.

const SAMPLES = 48; // along the longer side of the picture
const PRECISION = 8; // how often the way to a region's edge is halved
const TALL = 5; // times its width: of what is so high, the upper end is marked, as of a column into which discs fall

class Places {
  constructor(game) {
    [this.game, this.known, this.found] = [game, "", new Map()];
  }

  // The place of each action that a click can stand for now, in the game's units.
  get all() {
    const record = this.game.facts.loops.click ? this.game.raw.join() : "";
    if (record !== this.known) [this.known, this.found] = [record, this.find()];
    return this.found;
  }

  // The place that an arrow key leads to from a point; from nowhere, the one nearest to the middle of the picture.
  beside(point, key) {
    const [right, down] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[key];
    const [width, height] = this.game.facts.canvas, near = 1e-3 * Math.max(width, height);
    const [x, y] = point ?? [width / 2, height / 2];
    let found = point, least = Infinity;
    for (const place of this.all.values()) {
      const [a, b] = [place[0] - x, place[1] - y];
      const ahead = a * right + b * down, aside = Math.abs(a * down) + Math.abs(b * right);
      const far = point ? ahead + 2 * aside : Math.hypot(a, b);
      if (far < least && (!point || (ahead > near && ahead >= aside))) [found, least] = [place, far];
    }
    return found;
  }

  find() {
    const [width, height] = this.game.facts.canvas, step = Math.max(width, height) / SAMPLES, regions = new Map();
    for (let x = step / 2; x < width; x += step) {
      for (let y = step / 2; y < height; y += step) {
        const action = this.game.actionAt(x, y);
        if (!regions.has(action)) regions.set(action, []);
        regions.get(action).push([x, y]);
      }
    }
    regions.delete(-1);
    return new Map([...regions].map(([action, points]) => [action, this.middle(action, points, step)]));
  }

  // Where to mark a region, some of whose points are known, `step` apart.
  middle(action, points, step) {
    const [width, height] = this.game.facts.canvas, axis = (k) => points.map((point) => point[k]);
    const mean = (numbers) => numbers.reduce((a, b) => a + b) / numbers.length;
    const span = (numbers) => Math.max(...numbers) - Math.min(...numbers);
    const [x, y] = [mean(axis(0)), mean(axis(1))];
    const edge = (right, down) => {
      let inside = 0, outside = (right ? span(axis(0)) : span(axis(1))) + step;
      for (let k = 0; k < PRECISION; k++) {
        const reach = (inside + outside) / 2, [a, b] = [x + right * reach, y + down * reach];
        if (a >= 0 && a < width && b >= 0 && b < height && this.game.actionAt(a, b) === action) inside = reach;
        else outside = reach;
      }
      return inside;
    };
    const [left, right, up, down] = [edge(-1, 0), edge(1, 0), edge(0, -1), edge(0, 1)];
    const high = up + down > TALL * (left + right);
    return [x + (right - left) / 2, high ? y - up + (left + right) / 2 : y + (down - up) / 2];
  }
}
