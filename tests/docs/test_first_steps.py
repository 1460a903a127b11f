"""The notebook `docs/first-steps.ipynb`, executed at a small size in a kernel, with what else only a kernel can tell."""

import json
import re
import warnings
from pathlib import Path

import pytest

from ludus.envs import all_games

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

NOTEBOOK = Path(__file__).parents[2] / "docs" / "first-steps.ipynb"
SMALL = {
    "3_000_000": "8192",
    "300_000": "4096",
    "range(1000)": "range(10)",
    "episodes=20": "episodes=2",
    "steps=1000": "steps=50",
}
LOGGED = 'ludus.PPO("mlp", ludus.make_sb3("Bee", 64), n_steps=32, batch_size=512, verbose=1).learn(20_000);'
COMPLETED = """from IPython.core.completer import provisionalcompleter

with provisionalcompleter():
    for text in ("ludus.agents.P", "ludus.sh"):
        print([found.text for found in get_ipython().Completer.completions(text, len(text))])"""


def made_small(source):
    for large, little in SMALL.items():
        source = source.replace(large, little)
    return source


@pytest.fixture(scope="module")
def cells():
    """The notebook's cells and, after them, a log, a game that is wrong, and what the Tab key offers; executed."""
    notebook = nbformat.read(NOTEBOOK, 4)
    sources = [made_small(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    (game,) = [source for source in sources if "GAME = Game(" in source]
    more = [LOGGED, game.replace("s.visited == 5", "s.visits == 5"), COMPLETED]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in [*sources, *more]]
    notebook.cells[-2].metadata["tags"] = ["raises-exception"]
    with warnings.catch_warnings():  # of Jupyter's own packages, about themselves
        warnings.simplefilter("ignore")
        from nbclient import NotebookClient

        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return notebook.cells


def output_of(cells, part):
    """What the cell showed that has this in its source: what was printed, and the rest."""
    (outputs,) = [cell.outputs for cell in cells if part in cell.source]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    return printed, [output for output in outputs if output.output_type != "stream"]


def html_of(cells, part):
    return [output.data["text/html"] for output in output_of(cells, part)[1]]


def test_it_is_stored_without_outputs():
    """They are pages of hundreds of kilobytes, and figures of one machine."""
    stored = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(stored) == 9
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in stored)


def test_every_number_that_is_made_small_is_there():
    source = "\n".join(cell["source"] for cell in nbformat.read(NOTEBOOK, 4)["cells"])
    assert all(source.count(large) == 1 for large in SMALL)


def test_games_and_agents_show_themselves(cells):
    assert output_of(cells, "all_games()")[0].split() == [*all_games()]
    (env,) = html_of(cells, 'ludus.make("Breakout")')
    assert "data:image/png" in env and "a gymnasium.Env" in env
    assert re.search(r"breaks \d+\.\d bricks a step in 1024 games", output_of(cells, "make_vec")[0])
    bar, agent = html_of(cells, "class Curve")
    assert "width:100%" in bar and "PQN" in agent and "8.19 k timesteps" in agent
    assert "image/png" in output_of(cells, "plt.plot")[1][0].data
    assert float(output_of(cells, "evaluate(agent")[0]) >= 0


@pytest.mark.parametrize(
    ("cell", "begins"),
    [
        ('played_by="you"', "players=you&amp;seed=0"),
        ("show(agent)", "players=agent&amp;seed=0"),
        ("show(bee)", "players=agent&amp;seed=0"),
    ],
)
def test_pages_are_in_the_notebook(cells, cell, begins):
    page = html_of(cells, cell)[-1]
    assert page.startswith("<iframe srcdoc=") and begins in page


def test_a_cells_docstring_is_the_games(cells):
    (bee,) = html_of(cells, "s.visited == 5")
    assert "Visit five flowers" in bee and "data:image/png" in bee
    assert "A meadow of 5 x 5 cells" in html_of(cells, "show(bee)")[-1]


def test_a_log_is_one_table(cells):
    printed, (table,) = output_of(cells, "verbose=1")
    assert printed.splitlines() == ["Using cpu device", "Network: compiled loops"]
    assert table.output_type == "display_data" and "| 20480 " in table.data["text/plain"]
    assert not any("\x1b" in str(output) for cell in cells for output in cell.outputs if output.output_type != "error")


def test_what_is_wrong_with_a_game_is_said_with_its_cell(cells):
    _, (error,) = output_of(cells, "s.visits == 5")
    number = next(cell.execution_count for cell in cells if "s.visits == 5" in cell.source)
    assert error.ename == "GameError" and error.evalue.startswith(f"Bee: cell In[{number}], line ")
    assert "did you mean visited?" in error.evalue


def test_the_tab_key_knows_what_is_imported_when_asked_for(cells):
    agents, show = output_of(cells, "provisionalcompleter")[0].splitlines()
    assert all(name in agents for name in ("PPO", "PQN", "PretrainedExtractor")) and "show" in show
