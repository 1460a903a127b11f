"""Gymnasium's own tests of environments, run on all of Ludus's for one player.

    git clone --depth 1 https://github.com/Farama-Foundation/Gymnasium
    python benchmarks/gymnasium_tests.py Gymnasium

They are run in a temporary folder, where they are told to look at `ludus/` ids instead of Gymnasium's own: its checkers, two
rollouts alike, pickling, and every render mode. The script ends as pytest does, with 1 if a test fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = ("tests/envs/test_envs.py", "tests/envs/test_rendering.py")
OWN, OURS = '"gymnasium.envs." in env_spec.entry_point', '"ludus.envs." in env_spec.entry_point'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="Gymnasium's repository")
    source = parser.parse_args().checkout / "tests"
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests"
        shutil.copytree(source, tests)
        chooser = tests / "envs" / "utils.py"
        if OWN not in chooser.read_text():
            sys.exit(f"{source}/envs/utils.py chooses environments in another way than by {OWN}")
        chooser.write_text("import ludus\n" + chooser.read_text().replace(OWN, OURS))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, *FILES]
        return subprocess.run(command, cwd=folder, env={**os.environ, "SDL_VIDEODRIVER": "dummy"}).returncode


if __name__ == "__main__":
    sys.exit(main())
