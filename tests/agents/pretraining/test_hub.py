"""Data sets in the schemas of the hub, written small and read again; and what is damaged, missing or does not fit."""

import json

import numpy as np
import pytest
import torch

from ludus.agents.nn.text import TextConfig, TextEncoder, Tokenizer
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.datasets import ReadOptions, load_examples
from ludus.agents.pretraining.frames import PARTS
from ludus.agents.pretraining.method import Pictures
from ludus.agents.pretraining.methods.classify import Classify, Inputs
from ludus.agents.pretraining.methods.planes import Planes
from ludus.agents.pretraining.run import method_of, pretrain
from ludus.agents.pretraining.trainer import Trainer
from ludus.envs import OptionError
from tests.agents.pretraining import hub_data as hub

pytestmark = pytest.mark.usefixtures("own_cache")


def saved(data, folder):
    """A data set on disk, and its folder's name."""
    data.save_to_disk(folder)
    return str(folder)


def trained(encoder, examples, epochs=6):
    inputs = Inputs(examples)
    if isinstance(encoder, PictureEncoder):
        encoder.fit_statistics(inputs[torch.from_numpy(examples.rows("train"))])
    method = Classify(encoder, examples, inputs)
    Trainer(method, batch_size=32, learning_rate=3e-3, time_limit=20, epochs=epochs, looks=2).train()
    return method


def small(examples):
    torch.manual_seed(0)
    return PictureEncoder(for_pictures("small", examples.inputs.shape[1:], None, width=64, channels=16))


@pytest.mark.parametrize(
    ("make", "shape"), [(hub.mnist, (28, 28, 1)), (hub.cifar10, (32, 32, 3))], ids=["mnist", "cifar10"]
)
def test_pictures_of_one_class_each(make, shape, tmp_path):
    told = []
    data = make()
    examples = load_examples(saved(data, tmp_path / "data"), tell=told.append)
    assert examples.inputs.shape == (260, *shape) and examples.inputs.dtype == np.uint8
    assert examples.class_names == tuple(f"class {k}" for k in range(10))
    assert told == [f"data: 260 pictures of {'x'.join(map(str, shape))}, {260 * np.prod(shape) / 1e6:.3g} MB"]
    assert (examples.rows("test") == np.arange(200, 260)).all()  # as the data set says
    assert {*examples.part[:200]} == {0, 1}
    column = next(iter(data["train"].features))
    expected = np.asarray(data["train"][7][column]).reshape(shape)
    assert (examples.inputs[7] == expected).all() and examples.labels[7] == 7
    assert trained(small(examples), examples).figures("test")["accuracy"] > 0.9


def test_files_as_the_hub_has_them(tmp_path):
    folder = tmp_path / "mnist" / "mnist"
    folder.mkdir(parents=True)
    for split, data in hub.mnist(80, 30).items():
        data.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    examples = load_examples(str(tmp_path / "mnist"))
    assert len(examples) == 110 and len(examples.rows("test")) == 30
    few = load_examples(str(tmp_path / "mnist"), ReadOptions(limit=25, size=14))
    assert few.inputs.shape == (50, 14, 14, 1)
    assert len({*few.labels[:25]}) > 5  # drawn at random, since some are sorted


def test_a_folder_of_pictures_for_each_class(tmp_path):
    for k in range(120):
        folder = tmp_path / "pets" / ("cats", "dogs")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{k}.png").write_bytes(hub.png(hub.rng.integers(0, 256, (9, 9, 3), np.uint8))["bytes"])
    examples = load_examples(str(tmp_path / "pets"))
    assert examples.class_names == ("cats", "dogs") and len(examples) == 120
    assert all(len(examples.rows(part)) for part in PARTS)  # by content, since nothing says
    cat = tmp_path / "pets" / "cats" / "10.png"
    cat.write_bytes(b"GIF8 nothing")
    with pytest.raises(OptionError, match=r"pets, split train, row \d+ \(.*10\.png\): the file is no picture"):
        load_examples(str(tmp_path / "pets"))
    cat.write_bytes(b"")
    with pytest.raises(OptionError, match=r"row \d+ \(.*10\.png\): the file is empty"):
        load_examples(str(tmp_path / "pets"))


def test_texts(tmp_path):
    told = []
    examples = load_examples(saved(hub.imdb(), tmp_path / "imdb"), ReadOptions(words=300, length=40), told.append)
    assert told == ["imdb: 380 texts of up to 40 tokens, 0.0608 MB"]
    assert len(examples) == 380  # without those that have no label
    assert examples.class_names == ("neg", "pos") and examples.inputs.shape == (380, 40)
    assert len(examples.words) <= 300 and "great" in examples.words and "it's" in examples.words
    torch.manual_seed(0)
    encoder = TextEncoder(TextConfig(examples.words, 40))
    method = trained(encoder, examples, epochs=10)
    assert method.figures("test")["accuracy"] > 0.9
    known, again = encoder.tokenizer, ReadOptions(tokenizer=encoder.tokenizer)
    assert (load_examples(str(tmp_path / "imdb"), again).inputs == examples.inputs).all()
    tokens = known.encode(["Great! A lovely, superb film.", "Awful. A dull, terrible film."])
    assert method.eval().network.predict(torch.from_numpy(tokens)).tolist() == [1, 0]
    assert known.encode(["great"])[0, 0] == known.words.index("great") + 2


def test_words_and_bytes():
    words = Tokenizer.fit(["A b. b"], most=2, length=4)
    assert words.words == ("b", ".")
    assert words.encode(["B . x b b b", ""]).tolist() == [[2, 3, 1, 2], [0, 0, 0, 0]]
    code = "ab" * 51  # as of a file in a text
    long = Tokenizer.fit([f"{code} {code} good"], length=4)
    assert long.words == ("good",) and long.encode([f"{code} good"]).tolist() == [[1, 2, 0, 0]]
    plain = Tokenizer.fit(["never read"], most=0, length=3)
    assert plain.encode(["aé"]).tolist() == [[2 + 97, 2 + 0xC3, 2 + 0xA9]]
    features = TextEncoder(TextConfig(length=3)).eval().encode(["", "abc"])
    assert features.shape == (2, 128) and features.isfinite().all()


def test_categories_of_boxes(tmp_path):
    examples = load_examples(saved(hub.coco(), tmp_path / "coco"), ReadOptions(size=32))
    assert examples.inputs.shape == (190, 32, 32, 3) and examples.labels.shape == (190, 3)
    assert examples.class_names == ("person", "bicycle", "car")
    assert len(examples.rows("test")) == 40  # "val": the labels of "test" are secret
    assert trained(small(examples), examples, epochs=12).figures("test")["f1"] > 0.9


def test_boxes_as_classes_at_cells(tmp_path):
    boxes = [(0, [0, 0, 16, 16]), (2, [40, 30, 64, 48]), (2, [41, 30, 64, 48])]
    rows = [hub.scene(0, boxes), *(hub.scene(k) for k in range(1, 200))]
    folder = saved(hub.Dataset.from_list(rows, hub.COCO), tmp_path / "coco")
    examples = load_examples(folder, ReadOptions(grid=(3, 4)))
    assert examples.inputs.shape == (200, 64, 64, 3)  # however large they were
    assert np.argwhere(examples.labels[0]).tolist() == [[0, 0, 0], [2, 3, 2]]
    frames = examples.frames()
    assert (frames.part == examples.part).all() and frames.plane_names == examples.class_names
    pictures = Pictures(frames)
    encoder = PictureEncoder(for_pictures("grid", (64, 64, 3), (3, 4), channels=16))
    encoder.fit_statistics(pictures[torch.arange(50)])
    method = Planes(encoder, frames, pictures)
    before = float(method.loss(torch.arange(50)).detach())
    Trainer(method, batch_size=16, learning_rate=3e-3, time_limit=20, epochs=12, looks=1).train()
    assert float(method.loss(torch.arange(50)).detach()) < 0.7 * before


def test_sounds(tmp_path):
    examples = load_examples(saved(hub.sounds(), tmp_path / "tones"), ReadOptions(seconds=0.5, rate=8000))
    assert examples.inputs.shape == (120, 128, 31, 1)
    loudest = examples.inputs[:, :, 10, 0].argmax(1)
    assert loudest[examples.labels == 0].min() > loudest[examples.labels == 1].max()  # low is at the bottom
    hertz = (128 - loudest) * 8000 / 256
    assert (abs(hertz[examples.labels == 0] - 550) < 200).all()
    settings = {"channels": 8, "width": 32, "norm": "batch"}
    result = pretrain(examples, encoder="small", settings=settings, time_limit=20, epochs=4, looks=1)
    assert result.figures["accuracy"] > 0.9


def test_videos(tmp_path):
    examples = load_examples(saved(hub.videos(tmp_path, 40), tmp_path / "clips"), ReadOptions(size=16, frames=3))
    assert examples.inputs.shape == (40, 16, 16, 9)
    brightness = examples.inputs.reshape(40, -1, 3, 3).mean(1)  # (N, frames, RGB)
    assert (np.diff(brightness.max(2), axis=1) > 30).all()
    assert (brightness[:, -1].argmax(1) == 2 * examples.labels).all()
    method = method_of(examples, "classify", None, {"width": 16})
    assert method.encoder(method.pictures[torch.arange(3)]).shape == (3, 16)


def test_lists_of_classes(tmp_path):
    tags = [[k % 3] if k % 4 else [0, 2] for k in range(60)]
    features = hub.Features({"picture": hub.Image(), "tags": hub.Sequence(hub.ClassLabel(names=["a", "b", "c"]))})
    pictures = [hub.png(x) for x in hub.rng.integers(0, 256, (60, 8, 8, 3), np.uint8)]
    tags[7] = []
    folder = saved(hub.Dataset.from_dict({"picture": pictures, "tags": tags}, features), tmp_path / "tags")
    examples = load_examples(folder)
    assert examples.labels[[0, 1, 7]].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_boxes_by_width_and_height(tmp_path):
    rows = [hub.scene(2 * k, [(1, [0, 0, 8, 8])]) for k in range(60)]
    rows[0]["objects"]["bbox"] = [[40.0, 30.0, 10.0, 10.0]]
    folder = saved(hub.Dataset.from_list(rows, hub.COCO), tmp_path / "coco")
    examples = load_examples(folder, ReadOptions(grid=(3, 4), box_format="xywh"))
    assert np.argwhere(examples.labels[0]).tolist() == [[2, 2, 1]]
    with pytest.raises(OptionError, match=r"row 0: the box .* ends before it begins"):
        load_examples(folder, ReadOptions(grid=(3, 4)))


def mnist_with(rows, **columns):
    """A data set whose row 3 is another."""
    data = hub.pictures("image", 30, (28, 28)).to_dict()
    for name, value in columns.items():
        data[name][3] = value
    return hub.Dataset.from_dict(data, hub.pictures("image", 1, (28, 28)).features)


WHOLE = hub.png(np.zeros((28, 28), np.uint8))
DAMAGED = {
    "no picture": ({"image": {"bytes": b"not a picture", "path": None}}, "the file is no picture that Pillow knows"),
    "half a picture": ({"image": {"bytes": WHOLE["bytes"][:-30], "path": None}}, "truncated|damaged|broken"),
    "an empty file": ({"image": {"bytes": b"", "path": None}}, "the file is empty"),
    "no file": ({"image": None}, "there is no file"),
    "another shape": (
        {"image": hub.png(np.zeros((30, 28), np.uint8))},
        r"the picture is 30x28, the first is 28x28: give a size \(--size N\)",
    ),
    "16 bits": ({"image": hub.png(np.zeros((28, 28), np.uint16))}, "more than 8 bits a channel"),
    "no label": ({"label": None}, "the label is missing"),
    "an unknown label": ({"label": -1}, "the label is missing"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_row_is_named(damage, tmp_path):
    change, said = DAMAGED[damage]
    folder = saved(mnist_with(3, **change), tmp_path / "mnist")
    with pytest.raises(OptionError, match=rf"^mnist, split train, row 3: .*({said})") as error:
        load_examples(folder)
    assert "\n" not in str(error.value)


def test_a_label_out_of_range_is_named(tmp_path):
    folder = saved(hub.pictures("image", 30, (28, 28)), tmp_path / "mnist")
    path = tmp_path / "mnist" / "dataset_info.json"
    facts = json.loads(path.read_text())
    facts["features"]["label"]["names"] = ["0", "1", "2", "3"]
    path.write_text(json.dumps(facts))
    with pytest.raises(OptionError, match="mnist, split train, row 4: the label 4 is not from 0 to 3"):
        load_examples(folder)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([90, 0, 99, 9], r"the box \[90\.0, 0\.0, 99\.0, 9\.0\] is not within the picture of 48x64"),
        ([9, 0, 3, 9], r"ends before it begins: is box_format='xyxy' right\?"),
        ([float("nan"), 0, 3, 9], "is not four numbers"),
    ],
)
def test_a_wrong_box_is_named(box, said, tmp_path):
    rows = [hub.scene(2 * k) for k in range(20)]
    rows[5]["objects"] = {"bbox_id": [1], "category": [0], "bbox": [[float(x) for x in box]], "area": [1]}
    folder = saved(hub.Dataset.from_list(rows, hub.COCO), tmp_path / "coco")
    with pytest.raises(OptionError, match=f"coco, split train, row 5: .*{said}"):
        load_examples(folder, ReadOptions(grid=(4, 4)))


def test_damaged_sounds_and_videos_are_named(tmp_path):
    whole = hub.wav(np.ones(4000, np.int16))["bytes"]
    for k, (data, said) in enumerate(
        [(b"ID3 this is MP3", "not in WAV"), (whole[:2000], "is damaged"), (whole[:44], "damaged|no samples")]
    ):
        values = [{"bytes": whole, "path": "a.wav"}, {"bytes": data, "path": "b.wav"}]
        folder = saved(hub.files("audio", values, [0, 1], hub.Audio(), ["a", "b"]), tmp_path / f"tones{k}")
        with pytest.raises(OptionError, match=rf"tones{k}, split train, row 1 \(b\.wav\): the sound.*({said})"):
            load_examples(folder)
    values = [{"bytes": b"no video at all\0", "path": "a.mp4"}] * 2
    folder = saved(hub.files("video", values, [0, 1], hub.Video(), ["a", "b"]), tmp_path / "clips")
    with pytest.raises(OptionError, match=r"clips, split train, row 0 \(a\.mp4\): the file is no video"):
        load_examples(folder)
    values = [{"bytes": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "path": "a.m3u8"}] * 2  # opens another file
    folder = saved(hub.files("video", values, [0, 1], hub.Video(), ["a", "b"]), tmp_path / "lists")
    with pytest.raises(OptionError, match="the file is text and no video"):
        load_examples(folder)


def test_texts_that_are_missing_are_named(tmp_path):
    features = hub.imdb(10, 10)["train"].features
    for text, said in [(None, "there is no text"), (" ", "the text is empty")]:
        data = hub.Dataset.from_dict({"text": ["a film", text, "a play"], "label": [0, 1, 0]}, features)
        with pytest.raises(OptionError, match=f"imdb, split train, row 1: {said}"):
            load_examples(saved(data, tmp_path / said / "imdb"))


def test_nothing_to_read(tmp_path):
    empty = hub.pictures("image", 5, (8, 8)).select([])
    with pytest.raises(OptionError, match="none has no rows"):
        load_examples(saved(empty, tmp_path / "none"))
    (tmp_path / "short").mkdir()
    empty.to_parquet(tmp_path / "short" / "train.parquet")
    hub.pictures("image", 5, (8, 8)).to_parquet(tmp_path / "short" / "test.parquet")
    with pytest.raises(OptionError, match=r"cannot read .*short: .*train.* no data"):
        load_examples(str(tmp_path / "short"))
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(OptionError, match=r"cannot read .*nowhere"):
        load_examples(str(tmp_path / "nowhere"))
    (tmp_path / "torn").mkdir()
    hub.mnist(20, 20)["train"].to_parquet(tmp_path / "torn" / "train.parquet")
    content = (tmp_path / "torn" / "train.parquet").read_bytes()
    (tmp_path / "torn" / "train.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(OptionError, match=r"cannot read .*torn: ") as error:
        load_examples(str(tmp_path / "torn"))
    assert "\n" not in str(error.value)


def test_the_hub_is_not_there():
    with pytest.raises(OptionError, match=r"cannot read ylecun/mnist from the Hugging Face hub \(a folder would do"):
        load_examples("mnist")


def test_columns_are_found_or_asked_for(tmp_path):
    text, label = ["red wine", "blue sky"] * 60, ["warm", "cold"] * 60
    data = hub.Dataset.from_dict(
        {"text": [f"{x} {k}" for k, x in enumerate(text)], "mood": label, "id": list(range(120))}
    )
    folder = saved(data, tmp_path / "moods")
    with pytest.raises(
        OptionError, match=r"moods has several columns that can be the input: name the input \(--input\)"
    ):
        load_examples(folder)
    with pytest.raises(
        OptionError, match=r"several columns that can be the label: name the label \(--label\), one of mood, id"
    ):
        load_examples(folder, ReadOptions(input="text"))
    with pytest.raises(OptionError, match="moods has no column 'words' that can be the input: choose from text, mood"):
        load_examples(folder, ReadOptions(input="words"))
    examples = load_examples(folder, ReadOptions(input="text", label="mood"))
    assert examples.class_names == ("cold", "warm") and examples.labels[:2].tolist() == [1, 0]


def test_what_does_not_fit_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("ludus.agents.pretraining.datasets.examples.available_memory", lambda device: 10**5)
    with pytest.raises(
        OptionError, match=r"mnist takes 0\.204 MB of memory, and 0\.1 MB is left: give a limit \(--limit 63\)"
    ):
        load_examples(saved(hub.mnist(), tmp_path / "mnist"))
