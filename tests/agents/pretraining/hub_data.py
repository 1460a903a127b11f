"""Small data sets in the schemas of those on the hub: names and types of columns, names of splits."""

import subprocess
from io import BytesIO

import numpy as np
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, Image, Sequence, Value, Video
from PIL import Image as Pillow

rng = np.random.default_rng(0)


def png(picture):
    file = BytesIO()
    Pillow.fromarray(picture).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


def squares(count, shape, classes=10):
    """Noise with a bright square whose place tells the class, as (count, *shape) uint8."""
    labels = np.arange(count) % classes
    pictures = rng.integers(0, 100, (count, *shape), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = divmod(int(label), 4)
        picture[row * 8 : row * 8 + 6, column * 7 : column * 7 + 6] = 250
    return pictures, labels


def pictures(column, count, shape, classes=10):
    found, labels = squares(count, shape, classes)
    features = Features({column: Image(), "label": ClassLabel(names=[f"class {k}" for k in range(classes)])})
    return Dataset.from_dict({column: [png(x) for x in found], "label": labels.tolist()}, features)


def mnist(train=200, test=60):
    return DatasetDict(train=pictures("image", train, (28, 28)), test=pictures("image", test, (28, 28)))


def cifar10(train=200, test=60):
    return DatasetDict(train=pictures("img", train, (32, 32, 3)), test=pictures("img", test, (32, 32, 3)))


GOOD, BAD = ["good", "fine", "great", "lovely", "superb"], ["bad", "poor", "awful", "dull", "terrible"]


def review(label):
    other = rng.choice([f"word{k}" for k in range(200)], 20).tolist()
    return " ".join(rng.permutation([*other, *rng.choice((BAD, GOOD)[label], 3)]).tolist()) + ".<br />It's over."


def imdb(train=300, test=80):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})

    def split(labels):
        return Dataset.from_dict({"text": [review(max(label, 0)) for label in labels], "label": labels}, features)

    return DatasetDict(
        train=split([k * 2 // train for k in range(train)]),  # sorted, as on the hub
        test=split([k * 2 // test for k in range(test)]),
        unsupervised=split([-1] * 10),
    )


CATEGORIES = ["person", "bicycle", "car"]
COCO = Features(
    {
        "image_id": Value("int64"),
        "image": Image(),
        "width": Value("int64"),
        "height": Value("int64"),
        "objects": {
            "bbox_id": Sequence(Value("int64")),
            "category": Sequence(ClassLabel(names=CATEGORIES)),
            "bbox": Sequence(Sequence(Value("float64"), length=4)),
            "area": Sequence(Value("int64")),
        },
    }
)


def scene(number, boxes=None):
    """A picture of 64x48, or 48x64, with boxes of some categories."""
    width, height = ((64, 48), (48, 64))[number % 2]
    picture = rng.integers(0, 60, (height, width, 3), np.uint8)
    if boxes is None:
        boxes = []
        for category in np.flatnonzero(rng.random(3) < 0.5).tolist():
            left, top = int(rng.integers(0, width - 16)), int(rng.integers(0, height - 16))
            boxes.append((category, [left, top, left + 14, top + 14]))
    for category, (left, top, right, bottom) in boxes:
        picture[int(top) : int(bottom), int(left) : int(right), category] = 255
    categories, corners = [one for one, _ in boxes], [[float(x) for x in box] for _, box in boxes]
    numbers = list(range(len(boxes)))
    objects = {"bbox_id": numbers, "category": categories, "bbox": corners, "area": numbers}
    return {"image_id": number, "image": png(picture), "width": width, "height": height, "objects": objects}


def coco(train=150, val=40):
    return DatasetDict(
        train=Dataset.from_list([scene(k) for k in range(train)], COCO),
        val=Dataset.from_list([scene(k) for k in range(val)], COCO),
    )


def wav(samples, rate=8000):
    from scipy.io import wavfile

    file = BytesIO()
    wavfile.write(file, rate, samples)
    return {"bytes": file.getvalue(), "path": "tone.wav"}


FILE = {"bytes": Value("binary"), "path": Value("string")}


def files(column, values, labels, kind, names):
    """A data set of files: as `datasets` writes it where it can decode such files, too."""
    label = ClassLabel(names=names)
    data = Dataset.from_dict({column: values, "label": labels}, Features({column: FILE, "label": label}))
    return data.cast_column(column, kind)


def sounds(count=120):
    """Tones, low or high, at a pitch of their own."""
    labels = [k % 2 for k in range(count)]
    time = np.arange(4000) / 8000
    tones = [np.sin(2 * np.pi * (400 + 1500 * label + rng.integers(0, 300)) * time) for label in labels]
    values = [wav((tone * 2e4).astype(np.int16)) for tone in tones]
    return files("audio", values, labels, Audio(sampling_rate=8000), ["low", "high"])


def videos(folder, count=100):
    """Pictures that grow brighter, in red or in blue."""
    import imageio_ffmpeg

    values, labels = [], []
    for k in range(count):
        frames = np.zeros((8, 32, 32, 3), np.uint8)
        frames[..., 2 * (k % 2)] = np.arange(8)[:, None, None] * 20 + k
        path = folder / f"{k}.mp4"
        options = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "32x32", "-r", "8", "-i", "-"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *options, "-pix_fmt", "yuv420p", str(path)]
        subprocess.run(command, input=frames.tobytes(), check=True)
        values.append({"bytes": path.read_bytes(), "path": path.name})
        labels.append(k % 2)
    return files("video", values, labels, Video(), ["red", "blue"])
