"""Data sets as people have them in folders: what their files, names and options may be, and what is said of what may not."""

import io

import datasets
import numpy as np
import pytest
from scipy.io import wavfile

from ludus.__main__ import main
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.datasets import ReadOptions, load_examples
from ludus.agents.pretraining.datasets.examples import Examples, parts_of
from ludus.envs import OptionError
from tests.agents.pretraining import hub_data as hub

pytestmark = pytest.mark.usefixtures("own_cache")


def rows(count=120, names=("warm", "cold"), accent="e"):
    return "text,label\n" + "".join(f"caf{accent} {k},{names[k % len(names)]}\n" for k in range(count))


def written(folder, content, name="train.csv"):
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    return str(folder)


def pictures(folder, classes, count=120):
    for k in range(count):
        place = folder / classes[k % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{k}.png").write_bytes(hub.png(hub.rng.integers(0, 256, (9 + k % 3, 9, 3), np.uint8))["bytes"])
    return str(folder)


def refusal(*args):
    with pytest.raises(OptionError) as error:
        load_examples(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["moods", "csv", "json"])  # two of them are the library's words for kinds of files
def test_words_in_a_csv_file_are_labels(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / name, rows().encode())
    examples = load_examples(name, ReadOptions(label="label"))
    assert examples.class_names == ("cold", "warm") and examples.labels[:3].tolist() == [1, 0, 1]
    assert f"{name} has no column 'label' that can be the input: choose from text" in refusal(
        name, ReadOptions(input="label", label="label")
    )


def test_what_can_be_no_label_is_not_offered_for_one(tmp_path):
    folder = written(tmp_path / "texts", b"text\n" + b"a film\n" * 9)
    assert refusal(folder) == "texts has no column that can be the label: there is no other"
    folder = written(tmp_path / "numbers", b"text,score\n" + b"a film,0.5\n" * 9)
    assert refusal(folder) == "numbers has no column that can be the label: none of score can be"
    assert refusal(folder, ReadOptions(label="score")) == refusal(folder)
    assert "no column that can be the input: none of score can be" in refusal(folder, ReadOptions(label="text"))


def test_files_that_are_not_in_utf8_are_named(tmp_path, caplog):
    folder = written(tmp_path / "cafes", rows(accent="\xe9").encode("latin-1"))
    assert refusal(folder) == f"cannot read {folder}: train.csv is not in UTF-8, convert it first"
    assert not caplog.records
    folder = written(tmp_path / "torn", b'a,b\n1,2,3,4\n1\n"')
    (tmp_path / "torn" / "notes.txt").write_bytes(b"caf\xe9")  # which is not to blame
    assert "EOF inside string" in refusal(folder)


def test_patterns_in_names_of_folders_are_refused(tmp_path):
    folder = written(tmp_path / "cafes [1]", rows().encode())
    assert refusal(folder) == f"cannot read {folder}: * ? [ ] in a folder's name would be a pattern, rename it"
    pictures(tmp_path / "pets", ("cats [1]", "dogs *"))
    assert load_examples(str(tmp_path / "pets"), ReadOptions(size=8)).class_names == ("cats [1]", "dogs *")


@pytest.mark.parametrize("classes", [("cats",), (".",), ("train/cats",)])
def test_one_class_is_not_enough(classes, tmp_path):
    assert "pets has no labels, so one class: two or more are needed" in refusal(
        pictures(tmp_path / "pets", classes, 9)
    )


def test_nor_is_no_name(capsys):
    assert "a source is needed" in refusal("")
    assert main(["pretrain", ""]) == 2
    assert "a source is needed" in capsys.readouterr().err


def test_names_that_no_file_of_an_encoder_may_have_are_refused_when_they_are_read(tmp_path):
    folder = written(tmp_path / "long", rows(names=("warm", "c" * 1001)).encode())
    assert "long has a class whose name has 1,001 characters" in refusal(folder, ReadOptions(label="label"))
    names = tuple(str(k) for k in range(10_001))
    folder = written(tmp_path / "many", rows(10_001, names).encode())
    assert "many has 10,001 classes" in refusal(folder, ReadOptions(label="label"))
    inputs = np.zeros((100, 2, 4097, 1), np.uint8)
    inputs[:, 0, 0, 0] = np.arange(100)
    with pytest.raises(OptionError, match="wide has inputs of 2x4097x1, and no side may be above 4,096"):
        Examples("wide", inputs, np.zeros(100, np.int64), ("a", "b"), parts_of(inputs))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 32}, "size is for pictures and videos, and moods has texts"),
        ({"frames": 8}, "frames is for videos, and moods has texts"),
        ({"grid": (3, 3)}, "grid is for boxes, and moods has texts without them"),
        ({"seconds": 2.0}, "seconds is for sounds, and moods has texts"),
    ],
)
def test_options_for_other_data_are_refused(options, said, tmp_path):
    folder = written(tmp_path / "moods", rows().encode())
    assert refusal(folder, ReadOptions(label="label", **options)) == f"{said}: leave it out"
    assert refusal("digits", ReadOptions(**options)) == f"digits are read as they are: leave out {next(iter(options))}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "limit must be above 0, got 0"), ({"words": -1}, "words must be 0 or above"),
        ({"grid": (7,)}, "grid must be rows and columns"),
        ({"box_format": "cxcywh"}, "box_format must be xyxy or xywh"),
        ({"length": 65_537}, "length must be at most 65,536"), ({"words": 100_001}, "words must be at most 100,000"),
        ({"size": 4097}, "size must be at most 4,096"), ({"frames": 1366}, "frames must be at most 1,365"),
        ({"grid": (5000, 3)}, "grid must be rows and columns"), ({"rate": 10**6}, "rate must be at most 400,000"),
        ({"seconds": 60.0}, "is too long: give at most 32 seconds"), ({"seconds": float("inf")}, "is too long"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(OptionError, match=said):
        ReadOptions(**options)


def test_the_command_line_passes_options_on_or_refuses_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    datasets.enable_progress_bars()
    pictures(tmp_path / "pets", ("cats", "dogs"))
    few = ["--epochs", "1", "--no-plots", "--out", "out"]
    assert main(["pretrain", "pets", *few]) == 2
    assert "give a size (--size N)" in capsys.readouterr().err
    assert main(["pretrain", "pets", *few, "--size", "8"]) == 0
    out, err = capsys.readouterr()
    assert "pets: 120 pictures of 8x8x3, 0.023 MB" in out and not err
    assert not datasets.are_progress_bars_disabled()
    for words, said in [
        (["pets", "--frames", "100"], "--frames is for games, and pets is a data set: leave it out"),
        (["pets", "--obs-type", "grayscale"], "--obs-type is for games"),
        (["pets", "--words", "9"], "--words is for texts, and pets has pictures: leave it out"),
        (["digits", "--size", "9"], "digits are read as they are: leave out size"),
        (["Catch", "--words", "9"], "--words is for data sets, and Catch is a game: leave it out"),
    ]:
        assert main(["pretrain", *words]) == 2
        assert said in capsys.readouterr().err


def test_a_header_with_an_absurd_rate_is_damaged(tmp_path):
    file = io.BytesIO()
    wavfile.write(file, 1_000_003, np.ones(4000, np.int16))
    values = [hub.wav(np.ones(4000, np.int16)), {"bytes": file.getvalue(), "path": "b.wav"}]
    data = hub.files("audio", values, [0, 1], hub.Audio(), ["a", "b"])
    data.save_to_disk(tmp_path / "tones")
    said = "tones, split train, row 1 (b.wav): the sound is damaged: it has 1,000,003 samples a second, above 400,000"
    assert refusal(str(tmp_path / "tones")) == said


def test_pictures_too_small_for_a_network_are_refused():
    with pytest.raises(OptionError, match="encoder 'small' needs at least 2x2 pixels, got 1x9"):
        PictureEncoder(for_pictures("small", (1, 9, 3), None))
    PictureEncoder(for_pictures("small", (2, 2, 3), None))
