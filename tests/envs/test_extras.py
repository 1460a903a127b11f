"""What an extra has is named by its packages: `pip install 'ludus[video]'` would bring another project of that name."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from ludus.envs.extras import packages_of

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", ["gpu", "video", "plot", "pretrain", "tune", "minari"])
def test_the_packages_of_an_extra_are_named(extra):
    named = re.findall("'([^']+)'", packages_of(extra))
    bare = [re.split("[<>=]", each)[0] for each in named]
    assert bare == [re.split("[<>=]", each)[0] for each in EXTRAS[extra]] and "ludus" not in bare


def test_sources_that_are_not_installed_are_a_clone(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", absent)
    assert packages_of("video") == "'.[video]'"


def test_no_message_sends_people_to_the_other_project():
    sources = [path for folder in ("src", "envs", "agents", "zoo") for path in (ROOT / folder).rglob("*.py")]
    assert sources and not [path for path in sources if re.search(r"pip install ['\"]?ludus", path.read_text())]
