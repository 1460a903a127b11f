"use strict";
// What stands beside the picture: score, counts, how it ended, what the agent thinks, keys. All text is set as text.

const MOST_BARS = 12; // actions whose numbers are shown; of more, the likeliest
const TOLD = ["Description", "Actions", "Reward", "Termination"]; // of a game's docstring

class Panel {
  constructor(session) {
    [this.session, this.facts] = [session, session.facts];
  }

  // What stays until others play: their names, and the keys.
  showPlayers() {
    const { session, facts } = this, people = session.people.length;
    $("#keys dl").replaceChildren(...keysOf(session).flatMap(rowOfKeys));
    $("#keys").hidden = !people;
    setText("#who", session.who && facts.players > 1 ? session.who : sentence(facts.summary));
    setText("#whose", facts.players === 1 ? "score" : `score of ${facts.player_names[session.me]}`);
    const peeping = people > 0 && (facts.players === 1 || facts.hidden); // into the other's cards
    this.secret = peeping || !session.players.includes("agent");
  }

  // What changes from step to step.
  show() {
    const { session } = this;
    setText("#score", number(session.scores[session.me]));
    $("#facts").replaceChildren(...this.counts().map(([name, value]) =>
      element("div", "", {}, [element("dt", name), element("dd", value)])));
    setText("#status span", session.status);
    $("#status i").classList.toggle("live", session.stage === "playing");
    setText("button[data-do=pause]", { playing: "Pause", paused: "Go on" }[session.stage] ?? "Start");
    setText("#speed", `${session.speed < 1 ? `1/${1 / session.speed}` : session.speed}×`);
    $("#result").hidden = session.stage !== "over";
    setText("#result h2", session.outcome);
    if (session.stage === "over") setText("#result p", session.result);
    this.showDecision();
  }

  // What is counted, with the count: others' scores, steps, and the games that ended.
  counts() {
    const { scores, steps, returns, me } = this.session, games = returns.length;
    const all = scores.map((score, seat) => [this.facts.player_names[seat], number(score)]);
    const others = all.filter((_, seat) => seat !== me);
    const mean = games ? number(returns.reduce((a, b) => a + b) / games) : "–";
    const best = games ? number(Math.max(...returns)) : "–";
    const counts = [...others, ["steps", String(steps)], ["games", String(games)], ["mean", mean]];
    return others.length ? counts : [...counts, ["best", best]];
  }

  showDecision() {
    const { session } = this, { decision } = session;
    $("#decision").hidden = this.secret || !decision;
    if ($("#decision").hidden) return;
    const whose = this.facts.players > 1 ? `${this.facts.player_names[session.thinker]}: ` : "";
    const next = session.decisions.size > 0 && session.stage !== "over"; // else somebody else is to move
    const values = next ? "value of each action" : "values at its last action";
    setText("#decision h2", whose + (decision.worth ? values : next ? "next action" : "last action"));
    const shown = likeliest(decision, MOST_BARS), bars = $("#bars");
    while (bars.children.length > shown.length) bars.lastChild.remove();
    const row = () => element("li", "", {}, ["span", "i", "b"].map((tag) => element(tag)));
    while (bars.children.length < shown.length) bars.append(row());
    shown.forEach((action, k) => {
      const [name, bar, figure] = bars.children[k].children, value = decision.numbers[action];
      name.textContent = readable(this.facts.actions[action]);
      bar.style.setProperty("--share", share(decision, action));
      figure.textContent = decision.worth ? signed(value) : `${(100 * value).toFixed(0)} %`;
      bars.children[k].classList.toggle("chosen", action === decision.chosen);
    });
    setText("#expected b", signed(decision.value));
    paintCurve($("#curve"), session.values);
  }
}

// The actions that are shown: all, in their own order, or, of more than so many, the chosen one and the likeliest.
function likeliest(decision, count) {
  const { numbers, chosen } = decision, all = [...numbers.keys()];
  if (all.length <= count) return all;
  const order = all.sort((a, b) => (b === chosen) - (a === chosen) || numbers[b] - numbers[a]).slice(0, count);
  return order.filter((action) => share(decision, action) >= LEAST_SHARE || action === chosen);
}

function signed(value) {
  return value === -Infinity ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

// How the return that the agent expects went in this episode.
function paintCurve(canvas, values) {
  const [width, height] = sizeOf(canvas), brush = canvas.getContext("2d");
  if (!width) return;
  const shown = values.slice(-Math.floor(width / 2)), stride = width / Math.max(shown.length - 1, 40);
  const least = Math.min(...shown), span = Math.max(Math.max(...shown) - least, 0.1);
  const place = (value, k) => [stride * k, height - 3 - ((value - least) / span) * (height - 6)];
  brush.clearRect(0, 0, width, height);
  brush.strokeStyle = brush.fillStyle = getComputedStyle(canvas).color;
  brush.lineWidth = 1.5 * devicePixelRatio;
  brush.beginPath();
  shown.forEach((value, k) => brush.lineTo(...place(value, k)));
  brush.stroke();
  brush.beginPath();
  if (shown.length) brush.arc(...place(shown.at(-1), shown.length - 1), 3 * devicePixelRatio, 0, 7);
  brush.fill();
}

// The rules: the docstring's headings that a player wants to know of, with words in backticks as code.
function fillRules(facts, keys) {
  const plain = (part) => document.createTextNode(part.replace(/\s+/g, " "));
  const code = (part) => element("code", readable(part));
  const parts = (paragraph) => paragraph.split("`").map((part, k) => (k % 2 ? code(part) : plain(part)));
  const text = (what) => what.split("\n\n").map((paragraph) => element("p", "", {}, parts(paragraph)));
  const told = TOLD.filter((heading) => heading in facts.sections);
  $("#rules div").replaceChildren(
    element("p", sentence(facts.summary)),
    ...(keys.length ? [element("h3", "Keys"), element("dl", "", {}, keys.flatMap(rowOfKeys))] : []),
    ...told.flatMap((heading) => [element("h3", heading), ...text(facts.sections[heading])]),
  );
}
