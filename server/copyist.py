"""The copyist: a process of its own that makes a safe copy of a file that somebody sent, and holds nothing else.

It reads from its standard input what `working_copy.asked` wrote, and makes pictures and sound anew; of the file itself
no byte is passed on. Whatever a decoder is brought to do, it has no key, no database and no address.
"""

import resource
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Final

import av
import pillow_heif
import pypdfium2
from av.error import FFmpegError
from PIL import Image, ImageDraw, ImageOps, ImageStat, UnidentifiedImageError

from server.domain.working_copy import LARGE, Covered, Fault, Made, NotCopied, Rectangle, answered, read_asked

# 50 million pixels are more than any telephone takes, and 150 MB once unfolded.
PIXELS_MAX: Final = 50_000_000
PAGES_MAX: Final = 50
STILLS: Final = 9
SOUND_MAX_S: Final = 2 * 60 * 60
_QUALITY: Final = 80
_SOUND_BITS_PER_S: Final = 24_000
_SOUND_HZ: Final = 48_000
_SAME_BYTES: Final = {"fflags": "+bitexact"}
_THOUSANDTHS: Final = 1000

_MEMORY_BYTES: Final = 1536 * 2**20
_CPU_S: Final = 90
# Its standard streams, and the modules that a codec may still have to load.
_OPEN_FILES: Final = 32

_PICTURES: Final[Mapping[str, str]] = {"image/jpeg": "JPEG", "image/png": "PNG", "image/heic": "HEIF"}
# By type, the one reader of ffmpeg that may look at it.
_RECORDINGS: Final[Mapping[str, str]] = {
    "audio/mp4": "mov",
    "audio/amr": "amr",
    "audio/ogg": "ogg",
    "audio/webm": "matroska",
    "video/mp4": "mov",
    "video/3gpp": "mov",
}
# What their decoders raise for bytes that are no such file.
_UNREADABLE: Final = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    FFmpegError,
    pypdfium2.PdfiumError,
)


def copied(data: bytes, media_type: str, covered: Covered, side: int) -> Made:
    """A copy of a file of a type of the protocol; `covered`: by place of a picture, what of it nobody is to see.

    No picture is longer than `side` pixels.

    Raises NotCopied.
    """
    try:
        if media_type in _PICTURES:
            return Made([_jpeg(_picture(data, media_type), covered.get(0, ()), side)], b"")
        if media_type == "application/pdf":
            return Made([_jpeg(page, covered.get(no, ()), side) for no, page in enumerate(_pages(data))], b"")
        if media_type in _RECORDINGS:
            stills = _stills(data, media_type) if media_type.startswith("video/") else iter(())
            pictures = [_jpeg(still, covered.get(no, ()), side) for no, still in enumerate(stills)]
            return Made(pictures, _sound(data, media_type, is_needed=not pictures))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise NotCopied("too_large") from None
    except _UNREADABLE:
        raise NotCopied("unreadable") from None
    raise NotCopied("unreadable")


def _picture(data: bytes, media_type: str) -> Image.Image:
    # No other reader looks at it, whatever else the bytes could be.
    image = Image.open(BytesIO(data), formats=[_PICTURES[media_type]])
    _check_pixels(*image.size)
    image.draft("RGB", (LARGE, LARGE))
    return ImageOps.exif_transpose(image)


def _pages(data: bytes) -> Iterator[Image.Image]:
    document = pypdfium2.PdfDocument(data)
    if not 0 < len(document) <= PAGES_MAX:
        raise NotCopied("too_large" if len(document) else "unreadable")
    for page in document:
        width, height = page.get_size()
        yield page.render(scale=LARGE / max(width, height, 1)).to_pil()


def _stills(data: bytes, media_type: str) -> Iterator[Image.Image]:
    """Pictures of a film, as far from each other as its length allows."""
    with av.open(BytesIO(data), "r", format=_RECORDINGS[media_type]) as film:
        if not film.streams.video:
            return
        stream = film.streams.video[0]
        stream.codec_context.thread_count = 1
        _check_pixels(stream.codec_context.width, stream.codec_context.height)
        length = film.duration or 0
        last = -1
        for no in range(STILLS):
            film.seek(length * no // STILLS)
            frame = next(film.decode(stream), None)
            if frame is None or frame.pts is None or frame.pts <= last:
                continue
            last = frame.pts
            yield frame.to_image()  # type: ignore[no-untyped-call]


def _sound(data: bytes, media_type: str, *, is_needed: bool) -> bytes:
    written = BytesIO()
    with (
        av.open(BytesIO(data), "r", format=_RECORDINGS[media_type]) as heard,
        # Else it draws a number for the stream, and the same sound would be another file each time.
        av.open(written, "w", format="ogg", container_options=_SAME_BYTES) as told,
    ):
        if not heard.streams.audio:
            if is_needed:
                raise NotCopied("unreadable")
            return b""
        stream = told.add_stream("libopus", rate=_SOUND_HZ, layout="mono")
        stream.bit_rate = _SOUND_BITS_PER_S
        resampler = av.AudioResampler("s16", "mono", _SOUND_HZ)
        samples = 0
        for frame in heard.decode(heard.streams.audio[0]):
            samples += frame.samples * _SOUND_HZ // max(frame.sample_rate, 1)
            if samples > SOUND_MAX_S * _SOUND_HZ:
                raise NotCopied("too_large")
            for each in resampler.resample(frame):
                told.mux(stream.encode(each))
        if not samples:
            raise NotCopied("unreadable")
        for each in resampler.resample(None):
            told.mux(stream.encode(each))
        told.mux(stream.encode(None))
    return written.getvalue()


def _jpeg(image: Image.Image, covered: Sequence[Rectangle], side: int) -> bytes:
    """Made anew of its colours alone: nothing that was written beside them, no small picture within, is left."""
    _check_pixels(*image.size)
    flat = Image.new("RGB", image.size, "white")
    clear = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    flat.paste(clear, mask=clear.getchannel("A") if clear.mode == "RGBA" else None)
    flat.thumbnail((side, side))
    for rectangle in covered:
        _cover(flat, rectangle)
    written = BytesIO()
    flat.save(written, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return written.getvalue()


def _cover(image: Image.Image, rectangle: Rectangle) -> None:
    """One colour in the place of a face: what is blurred can be sharpened again, what is gone can't."""
    left, top, width, height = rectangle
    box = (
        left * image.width // _THOUSANDTHS,
        top * image.height // _THOUSANDTHS,
        min(-(-(left + width) * image.width // _THOUSANDTHS), image.width),
        min(-(-(top + height) * image.height // _THOUSANDTHS), image.height),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    colour = tuple(round(each) for each in ImageStat.Stat(image.crop(box)).mean)
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)


def _check_pixels(width: int, height: int) -> None:
    if width * height > PIXELS_MAX:
        raise NotCopied("too_large")


def _limit() -> None:
    """From here on it writes no file, and takes so much memory and time."""
    limits = (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in limits:
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Copy one file."""
    _limit()
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    pillow_heif.register_heif_opener(thumbnails=False)
    try:
        made: Made | Fault = copied(*read_asked(sys.stdin.buffer.read()))
    except NotCopied as error:
        made = error.fault
    sys.stdout.buffer.write(answered(made))


if __name__ == "__main__":
    main()
