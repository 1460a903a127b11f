"""Inputs from what a data set holds: files of pictures, sounds and videos, and texts.

A reader raises ValueError in a few words for what it cannot read; who calls it says where that was.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ...nn.text import Tokenizer
from ...runtime.extras import need
from .options import HOP, MAX_RATE, ReadOptions

GRAY = ("1", "L", "LA")  # Pillow's modes
DEEP = ("I", "F", "I;16", "I;16B", "I;16L")  # more than eight bits
WINDOW, DECIBELS = 256, 80.0  # of spectrograms: samples, and how far below the loudest is silence


@dataclass(frozen=True)
class Reader:
    """Makes inputs of one shape and dtype: `read(value)` is one, (*shape), or raises ValueError."""

    shape: tuple[int, ...]
    dtype: type
    read: Callable[[Any], np.ndarray]
    words: tuple[str, ...] = ()  # the vocabulary of texts


def content(value: Any) -> bytes:
    """The bytes of a file, from {"bytes", "path"} as `datasets` has files; raises ValueError."""
    if not isinstance(value, dict) or (value.get("bytes") is None and value.get("path") is None):
        raise ValueError("there is no file")
    found = value["bytes"] if value.get("bytes") is not None else Path(value["path"]).read_bytes()
    if not found:
        raise ValueError("the file is empty")
    return found


def open_picture(value: Any) -> Any:
    """A picture of Pillow, of which only the size is read yet; raises ValueError."""
    pillow = need("PIL.Image", "a data set of pictures")
    data = content(value)
    try:
        return pillow.open(BytesIO(data))
    except pillow.UnidentifiedImageError as error:
        raise ValueError("the file is no picture that Pillow knows, or is damaged") from error


def picture_reader(options: ReadOptions, first: Any) -> Reader:
    """Pictures (H, W, C), in gray or RGB as the first one is."""
    pillow = need("PIL.Image", "a data set of pictures")
    opened = open_picture(first)
    mode = "L" if opened.mode in GRAY else "RGB"
    width, height = (options.size, options.size) if options.size else opened.size
    shape = height, width, len(mode)

    def read(value: Any) -> np.ndarray:
        picture = open_picture(value)
        if picture.mode in DEEP:
            raise ValueError(f"the picture has more than 8 bits a channel ({picture.mode}): convert it first")
        if options.size:
            picture = picture.convert(mode).resize((width, height), pillow.Resampling.BILINEAR)
        elif picture.size != (width, height):
            found = "x".join(map(str, picture.size[::-1]))
            raise ValueError(
                f"the picture is {found}, the first is {height}x{width}: give a size (--size N) to make all NxN"
            )
        return np.asarray(picture.convert(mode)).reshape(shape)

    return Reader(shape, np.uint8, read)


def sound_reader(options: ReadOptions) -> Reader:
    """Spectrograms (frequencies, times, 1) of sounds in WAV: black is `DECIBELS` below the loudest, low is at the bottom."""
    signal, wavfile = need("scipy.signal", "a data set of sounds"), need("scipy.io.wavfile", "a data set of sounds")
    samples = max(HOP, round(options.seconds * options.rate))
    transform = signal.ShortTimeFFT(signal.windows.hann(WINDOW), HOP, options.rate)
    shape = WINDOW // 2, samples // HOP, 1

    def read(value: Any) -> np.ndarray:
        rate, sound = _wav(wavfile, content(value))
        common = math.gcd(rate, options.rate)
        needed = math.ceil((samples / options.rate + 1) * rate)  # with a second more, which the filter may look at
        sound = signal.resample_poly(sound[:needed], options.rate // common, rate // common)[:samples]
        sound = np.pad(sound, (0, samples - len(sound)))
        power = transform.spectrogram(sound, p0=0, p1=shape[1])[1:][::-1]  # without that of 0 Hz
        level = 10 * np.log10(np.maximum(power, 1e-30) / max(power.max(), 1e-30))
        return ((level / DECIBELS + 1).clip(0, 1) * 255).round().astype(np.uint8)[..., None]

    return Reader(shape, np.uint8, read)


def _wav(wavfile: Any, data: bytes) -> tuple[int, np.ndarray]:
    """Samples a second, and samples of one channel from -1 to 1; raises ValueError."""
    if data[:4] not in (b"RIFF", b"RIFX", b"RF64"):
        raise ValueError("the sound is not in WAV: convert it first")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)  # of titles and the like
            rate, sound = wavfile.read(BytesIO(data))
    except Exception as error:  # whatever a damaged file may bring about
        raise ValueError(f"the sound is damaged: {error}") from error
    if not len(sound) or rate < 1:
        raise ValueError("the sound has no samples")
    if rate > MAX_RATE:
        raise ValueError(f"the sound is damaged: it has {rate:,} samples a second, above {MAX_RATE:,}")
    kind, scaled = sound.dtype, sound.astype(np.float64)
    if kind == np.uint8:
        scaled = scaled / 128 - 1
    elif kind.kind == "i":
        scaled = scaled / -float(np.iinfo(kind).min)
    if not np.isfinite(scaled).all():
        raise ValueError("the sound has samples that are no numbers")
    return int(rate), scaled.mean(1) if scaled.ndim == 2 else scaled


def video_reader(options: ReadOptions) -> Reader:
    """The frames of videos side by side as channels, (size, size, frames * 3)."""
    ffmpeg, size = need("imageio_ffmpeg", "a data set of videos"), options.size or 64

    def read(value: Any) -> np.ndarray:
        data = content(value)
        if b"\0" not in data[:4096]:  # playlists are texts, by which FFmpeg would open other files
            raise ValueError("the file is text and no video")
        with tempfile.NamedTemporaryFile(suffix=Path(value.get("path") or "video.mp4").suffix) as file:
            file.write(data)
            file.flush()
            try:
                count, _ = ffmpeg.count_frames_and_secs(file.name)
                wanted = np.linspace(0, count - 1, options.frames).round().astype(int)
                frames = _frames(ffmpeg.get_ffmpeg_exe(), file.name, np.unique(wanted).tolist(), size)
            except (RuntimeError, ValueError, OSError, subprocess.CalledProcessError) as error:
                raise ValueError("the file is no video that FFmpeg knows, or is damaged") from error
        return np.concatenate(frames[np.searchsorted(np.unique(wanted), wanted)], -1)

    return Reader((size, size, options.frames * 3), np.uint8, read)


def _frames(ffmpeg: str, path: str, numbers: list[int], size: int) -> np.ndarray:
    """Frames of these numbers, (len(numbers), size, size, 3) uint8; the others take no memory."""
    chosen = "+".join(rf"eq(n\,{number})" for number in numbers)
    output = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-fps_mode", "passthrough", "-"]
    command = [ffmpeg, "-v", "error", "-i", path, "-vf", f"select={chosen},scale={size}:{size}", *output]
    pixels = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    return np.frombuffer(pixels, np.uint8).reshape(len(numbers), size, size, 3)


def text_reader(tokenizer: Tokenizer) -> Reader:
    """Numbers of tokens (length,)."""

    def read(value: Any) -> np.ndarray:
        if not isinstance(value, str):
            raise ValueError("there is no text")
        tokens = tokenizer.encode([value])[0]
        if not tokens.any():
            raise ValueError("the text is empty")
        return tokens

    return Reader((tokenizer.length,), np.int32, read, tokenizer.words)
