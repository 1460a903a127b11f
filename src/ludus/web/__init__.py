"""Games as web pages: played by keyboard, mouse and touch, and watched, without a server that computes anything.

A page is a game's WebAssembly module, of `ludus.envs.adapters.web`, and the scripts in this folder:

    elements.js  elements of pages, and words in them
    ludus.js     a module and its memory: seeds, resets, steps, pictures, clicks, simple players
    session.js   who plays: keys, turns, waits, time, scores
    places.js    where on a picture each action is
    stage.js     the picture, and what people do there
    network.js   an agent's network, see `agent.py`
    panel.js     what stands beside the picture
    player.js    the page of one game
    card.js      a game on the first page of several
    arcade.js    that page

Scripts are read in that order, the last two in place of the three before them, and share their names; nothing is bundled, and
nothing comes from another host. `page.py` and `arcade.py` fill the HTML.
"""
