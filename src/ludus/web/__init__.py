"""Games as web pages: played by keyboard, mouse and touch, and watched, without a server that computes anything.

A page is a game's WebAssembly module, of `ludus.envs.adapters.web`, and the scripts in this folder:

    ludus.js    a module and its memory: seeds, resets, steps, pictures, clicks, simple players
    network.js  an agent's network, see `agent.py`
    session.js  who plays: keys, turns, waits, time, scores
    places.js   where on a picture each action is
    panel.js    what stands beside the picture
    player.js   the page of one game; start.js, the page of several

Scripts are read in that order and share their names; nothing is bundled, and nothing comes from another host.
"""
