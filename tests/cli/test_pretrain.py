"""`ludus pretrain`: what its commands say, keep and refuse."""

import json
from pathlib import Path

import pytest

from ludus.__main__ import main
from ludus.agents.checkpoints.encoder_file import load_encoder
from ludus.agents.pretraining.methods import METHODS
from ludus.cli import pretrain
from tests.agents.pretraining import hub_data

SMALL = ["--frames", "1280", "--size", "32", "--shuffle", "0.5"]
TRAINING = [*SMALL, "--epochs", "2", "--channels", "8", "--depth", "1", "--no-plots"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch, one_thread):
    monkeypatch.chdir(tmp_path)


def test_an_encoder_is_trained_kept_and_gone_on_with(capsys):
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc"]) == 0
    out = capsys.readouterr().out
    assert "on what was never seen: f1" in out and "ludus train Catch --encoder enc --decode" in out
    assert load_encoder("enc").planes == ("ball", "paddle")
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc"]) == 2
    assert "--out enc has an encoder: give another folder, --overwrite or --resume" in capsys.readouterr().err
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc", "--resume", "--epochs", "3"]) == 0
    about = json.loads(Path("enc/encoder.json").read_text())["about"]
    assert about["method"] == "planes" and about["settings"]["epochs"] == 3


def test_frames_are_collected_looked_at_and_trained_on(capsys):
    assert main(["pretrain", "collect", "Catch", *SMALL, "--levels", "40", "--out", "data"]) == 0
    assert "ludus pretrain data" in capsys.readouterr().out
    assert main(["pretrain", "audit", "data"]) == 0
    assert "40 levels" in capsys.readouterr().out
    assert main(["pretrain", "data", "--epochs", "1", "--channels", "8", "--depth", "1", "--no-plots"]) == 0
    assert "saved in encoders/data-planes" in capsys.readouterr().out
    assert main(["pretrain", "collect", "Catch", *SMALL, "--out", "data"]) == 2
    assert "has frames: give another folder, or --overwrite" in capsys.readouterr().err


def test_a_classifier_of_texts_is_kept(capsys):
    hub_data.imdb().save_to_disk("data/imdb")
    assert main(["pretrain", "data/imdb", "--epochs", "10", "--no-plots", "--out", "out"]) == 0
    assert "network().predict(inputs)" in capsys.readouterr().out.replace("\n", "")
    network = load_encoder("out").network()
    told = network.predict(["Great! A lovely, superb film.", "Awful. A dull, terrible film."])
    assert [network.classes[k] for k in told] == ["pos", "neg"]


def test_changes_are_shown_and_nothing_is_trained(tmp_path, capsys):
    assert main(["pretrain", "Catch", *SMALL, "--preview", "sheet.png", "--shift", "4"]) == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG") and not (tmp_path / "encoders").exists()
    assert main(["pretrain", "Catch", *SMALL, "--preview", "sheet.png"]) == 2
    assert "switch some on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["pretrain"], "needs SOURCE"),
        (["pretrain", "Nowhere"], "there is no data set 'Nowhere'"),
        (["pretrain", "Catch", "--method", "magic", *SMALL], "there is no method 'magic'"),
        (["pretrain", "Catch", "--encoder", "magic", *SMALL], "unknown encoder 'magic'"),
        (["pretrain", "Pong", "--method", "planes", *SMALL], "shows no planes to learn from"),
        (["pretrain", "Catch", "--method", "classify", *SMALL], "frames of a game have none"),
        (["pretrain", "Catch", "--shift", "99", *SMALL], "--shift must be from 0 to 64"),
        (["pretrain", "Catch", "--frames", "3"], "--frames must be 64 or more"),
        (["pretrain", "Catch", "--policy", "nobody"], "nobody"),
        (
            ["pretrain", "Catch", *SMALL, "--depth", "65", "--time-limit", "1e6"],
            "depth must be a whole number from 0 to 64",
        ),
        (["pretrain", "collect", "Catch"], "needs --out"),
        (["pretrain", "audit", "digits"], "audit is for frames of games"),
        (["pretrain", "Catch", "--learn", "1"], "unknown flag --learn: did you mean --learning-rate?"),
        (["train", "Catch", "--decode"], "decode needs an encoder"),
        (["train", "Catch", "--encoder", "nowhere"], r"nowhere has no encoder.json"),
    ],
)
def test_what_is_wrong_is_one_line(words, answer, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert answer in err and err.count("\n") == 1


def test_methods_on_the_command_line_are_those_that_there_are():
    assert set(pretrain.METHODS) == set(METHODS)
