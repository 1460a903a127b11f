"""The games, one file each. The registry finds every module here that has a `GAME`."""
