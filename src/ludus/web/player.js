"use strict";
// The page of one game: its stage, with the panel beside it, and who has which seat.

class Player extends Stage {
  constructor(session) {
    super(session);
    this.panel = new Panel(session);
    this.offerPlayers();
    this.start();
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
    setText("#worth", this.facts.agent?.told ?? "");
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
    this.session.seat(players, true);
    this.offerPlayers();
    this.begin();
    $("#picture").focus();
  }

  begin() {
    this.panel.showPlayers();
    super.begin();
  }

  listen() {
    super.listen();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.painted = ""));
    document.addEventListener("click", (event) => {
      const work = event.target.closest("button[data-do]")?.dataset.do;
      if (work) this.command(work);
      if (work && event.detail && work !== "rules") $("#picture").focus(); // keys go to the game again
    });
  }

  command(work) {
    const rules = $("#rules");
    if (work === "full") document.fullscreenElement ? document.exitFullscreen() : $("#game").requestFullscreen?.();
    else if (work !== "rules") super.command(work);
    else if (rules.open) rules.close();
    else fillRules(this.facts, keysOf(this.session)), rules.showModal();
  }

  get runs() {
    return !$("#rules").open;
  }

  show() {
    super.show();
    this.panel.show();
  }

  get reveals() {
    return !this.panel.secret;
  }
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
  if (window.self !== window.top) document.documentElement.dataset.within = "yes"; // a frame of another page
  const facts = JSON.parse($("#facts-of-page").textContent), [seed, players] = asked(facts);
  const { agent } = facts, needed = [codeOf(facts.code), agent && codeOf(agent.code), agent && bytesOf(agent.weights)];
  const [code, loops, weights] = await Promise.all(needed);
  const game = await Game.load(code, facts);
  const network = agent ? await Network.load(loops, weights, agent) : null;
  game.seed(seed);
  window.player = new Player(new Session(game, network, players, seed));
  document.documentElement.dataset.ready = "yes";
}

addEventListener("hashchange", () => location.reload());
begin().catch(complain);
