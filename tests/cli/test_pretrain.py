"""`ludus pretrain`: what its commands say, keep and refuse."""

import json
import re
from pathlib import Path

import pytest

from ludus.__main__ import main
from ludus.agents.checkpoints.encoder_file import load_encoder
from ludus.agents.pretraining.methods import METHODS
from ludus.agents.pretraining.play import collect_frames
from ludus.agents.pretraining.shards import save_frames
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


def test_labels_of_some_pictures_are_enough(capsys):
    assert main(["pretrain", "Catch", *TRAINING, "--labels", "20", "--out", "few"]) == 0
    assert "planes, on 16 train, 4 validation, " in capsys.readouterr().out


def test_a_classifier_of_texts_is_kept(capsys):
    hub_data.imdb().save_to_disk("data/imdb")
    assert main(["pretrain", "data/imdb", "--epochs", "10", "--no-plots", "--out", "out"]) == 0
    assert "network().predict(inputs)" in capsys.readouterr().out.replace("\n", "")
    network = load_encoder("out").network()
    told = network.predict(["Great! A lovely, superb film.", "Awful. A dull, terrible film."])
    assert [network.classes[k] for k in told] == ["pos", "neg"]
    hub_data.imdb(200, 80).save_to_disk("more/imdb")  # with words of its own
    start = ["--start", "out", "--epochs", "1", "--no-plots", "--out", "again"]
    assert main(["pretrain", "more/imdb", *start]) == 0
    assert load_encoder("again").config == load_encoder("out").config


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
        (["pretrain", "Catch", "--labels", "3", *SMALL], "--labels must be from 10 to"),
        (["pretrain", "digits", "--labels", "100"], "--limit says how many"),
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


def before_data(monkeypatch):
    """From here on, reading or collecting anything is a failure."""

    def read(*_, **__):
        raise AssertionError("data were read")

    monkeypatch.setattr(pretrain, "data_of", read)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["Catch", "--out", "file"], "--out file is not a folder"),
        (["Catch", "--out", "file/below"], "--out file/below cannot be made: file is not a folder"),
        (["Catch", "--out", "/proc/enc"], "--out /proc/enc cannot be written"),
        (
            ["Catch", "--out", "folder", "--resume"],
            "--out folder has no training.json: there is no training to go on with",
        ),
        (["Catch", "--resume"], "--out encoders/Catch-planes has no training.json"),
        (["Catch", "--resume", "--overwrite"], "--resume or --overwrite, not both"),
        (["collect", "Catch", "--out", "file"], "--out file is not a folder"),
        (
            ["Catch", "--preview", "sheet.json", "--shift", "4"],
            "--preview sheet.json must end in .png, .jpg, .jpeg or .webp",
        ),
        (["Catch", "--preview", "folder", "--shift", "4"], "--preview folder is a folder: give a file"),
        (["Catch", "--preview", "no/sheet.png", "--shift", "4"], "--preview no/sheet.png: there is no folder no"),
        (["Catch", "--preview", "sheet.png"], "switch some on"),
        (["Catch", "--patience", "-3"], "--patience must be 1 or more, got -3"),
        (["Catch", "--epochs", "0"], "--epochs must be a finite number above 0, got 0"),
        (["Catch", "--learning-rate", "-1"], "--learning-rate must be a finite number above 0, got -1"),
        (["Catch", "--batch-size", "0"], "--batch-size must be 1 or more, got 0"),
        (["Catch", "--time-limit", "none"], "--epochs must be a number where time_limit is None"),
        (["Catch", "--start", "folder"], "folder has no encoder.json"),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(words, answer, monkeypatch, capsys):
    before_data(monkeypatch)
    Path("file").write_text("a")
    Path("folder").mkdir()
    assert main(["pretrain", *words]) == 2
    err = capsys.readouterr().err
    assert answer in err and err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder"]


def test_an_encoder_to_start_from_is_looked_at_before_data_are_read(monkeypatch, capsys):
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc"]) == 0
    before_data(monkeypatch)
    for words, answer in (
        (["--encoder", "grid", "--width", "8"], "--start brings its own encoder: leave out --encoder, --width"),
        (
            ["--size", "40"],
            "--start enc sees pictures of 32x32x3, these are of 40x40x3: change --size or --obs-type",
        ),
        (["--size", "32", "--obs-type", "grayscale"], "these are of 32x32x1"),
    ):
        assert main(["pretrain", "Catch", "--start", "enc", *words]) == 2
        assert answer in capsys.readouterr().err


def test_an_encoder_to_start_from_is_looked_at_before_a_training_is_announced(capsys):
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc"]) == 0
    save_frames(collect_frames("Catch", 640, size=40), "data")
    for source, answer in (
        ("data", "--start enc sees pictures of 32x32x3, these are of 40x40x3: choose other data"),
        ("digits", "these are of 8x8x1"),
    ):
        capsys.readouterr()
        assert main(["pretrain", source, "--start", "enc", "--out", "other"]) == 2
        said = capsys.readouterr()
        assert answer in said.err and "train," not in said.out


def test_other_settings_do_not_go_on_and_are_named_by_their_flags(capsys):
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc", "--batch-size", "16"]) == 0
    capsys.readouterr()
    assert main(["pretrain", "Catch", *TRAINING, "--out", "enc", "--resume"]) == 2
    assert "--batch-size must be 16, as in the training in enc that is to go on, got 32" in capsys.readouterr().err
    again = [*TRAINING, "--out", "enc", "--batch-size", "16", "--resume"]
    assert main(["pretrain", "Catch", *again, "--policy", "random"]) == 2
    assert "data must be what the training in enc began with" in capsys.readouterr().err
    assert main(["pretrain", "Catch", *again, "--epochs", "4", "--time-limit", "1000", "--patience", "20"]) == 0


def test_frames_of_a_game_that_is_not_known_here_are_trained_on_and_saved(capsys):
    frames = collect_frames("Catch", 1280, size=32, shuffle=0.5)
    frames.game = "ludus/MyOwnGame-v1"
    save_frames(frames, "data")
    training = ["--epochs", "2", "--channels", "8", "--depth", "1", "--no-plots", "--out", "enc"]
    assert main(["pretrain", "data", *training]) == 0
    assert "saved in enc\n" in capsys.readouterr().out and load_encoder("enc").planes == ("ball", "paddle")
    assert main(["pretrain", "audit", "data"]) == 0


def test_the_verdict_is_wrapped_and_planes_without_figures_are_told(capsys):
    frames = collect_frames("Catch", 1280, size=32, shuffle=0.5)
    frames.planes[..., 0] = 0
    save_frames(frames, "data")
    training = ["--epochs", "5", "--batch-size", "64", "--channels", "8", "--depth", "1", "--no-plots"]
    assert main(["pretrain", "data", *training]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r" ?ball +- +not in the test pictures *", line) for line in lines)
    (first,) = (k for k, line in enumerate(lines) if line.startswith("Too short to judge: 31 gradient steps"))
    said = " ".join(line.rstrip() for line in lines[first : first + 2])
    assert said.endswith("weights of step 31 were kept.") and max(map(len, lines[first : first + 2])) <= 80


def test_a_training_that_diverges_is_told_and_its_best_weights_are_kept(capsys):
    training = [*TRAINING, "--epochs", "20", "--out", "enc"]
    assert main(["pretrain", "Catch", *training, "--learning-rate", "1e30"]) == 2
    assert "the loss is not finite from step 2: a lower learning rate would help" in capsys.readouterr().err
    assert not Path("enc").exists()


def test_frames_beyond_memory_are_refused(capsys):
    assert main(["pretrain", "Catch", "--frames", "99999999999999"]) == 2
    assert "--frames must be at most" in capsys.readouterr().err
