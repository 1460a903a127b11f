"""The verbs of the command line, and `--import`, which goes with all of them."""

VERBS = {
    "train": "train an agent on a game, or on any Gymnasium environment",
    "pretrain": "train an encoder of a game's pictures, with labels or without",
    "evaluate": "play an agent's whole episodes and report its returns",
    "compare": "say how much better one agent is than another",
    "plot": "draw how agents learned",
    "runs": "list the agents in a folder",
    "rate": "rate players of a game against each other",
    "tune": "search for the settings that learn a game best",
    "watch": "watch an agent play in a window",
    "play": "play a game yourself",
    "record": "write an agent's play to a GIF or MP4",
    "export": "make web pages of games, or agents for Stable-Baselines3",
    "zoo": "list, verify or reproduce the trained agents that come along",
    "games": "list the games",
    "completion": "let the Tab key of bash, zsh or fish complete all of this",
}


def split_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The packages that `--import PACKAGE` or `--import=PACKAGE` name, wherever it stands, and the other arguments."""
    packages: list[str] = []
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        flag, equals, name = word.partition("=")
        if flag == "--import" and others[:1] != ["completion"]:  # whose words are not for now
            packages.append(name if equals else next(words, ""))
        else:
            others.append(word)
    return packages, others
