"""Photos, voices, films and pages as devices send them, with what would betray a person written into them."""

import math
from array import array
from io import BytesIO
from typing import Any, Final

import av
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

# Written wherever a file has room for it; no copy may have it.
BETRAYS: Final = "Awa Exemple 16.2710 -0.0447"
_GPS: Final = 0x8825
_DESCRIPTION: Final = 0x010E
_ORIENTATION: Final = 0x0112


def photo(width: int = 800, height: int = 600, container: str = "JPEG", colour: str = "red", **exif: int) -> bytes:
    """A picture of one colour with EXIF; `orientation` as EXIF has it."""
    image = Image.new("RGB", (width, height), colour)
    said = Image.Exif()
    said[_DESCRIPTION] = BETRAYS
    said[_ORIENTATION] = exif.get("orientation", 1)
    said.get_ifd(_GPS)[1] = "N"
    written = BytesIO()
    image.save(written, container, exif=said.tobytes())
    return written.getvalue()


def two_colours(width: int = 800, height: int = 600) -> bytes:
    """A picture that is red above and blue below."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (0, height // 2, width, height))
    written = BytesIO()
    image.save(written, "JPEG")
    return written.getvalue()


def pages(count: int = 2) -> bytes:
    """A PDF of some pages."""
    first, *others = [Image.new("RGB", (600, 800), "white") for _ in range(count)]
    written = BytesIO()
    first.save(written, "PDF", save_all=True, append_images=others, title=BETRAYS, author=BETRAYS)
    return written.getvalue()


def voice(container: str = "ogg", codec: str = "libopus", rate: int = 48_000, seconds: int = 2) -> bytes:
    """Somebody who hums."""
    return _recorded(container, codec, rate, seconds, film=False)


def film(container: str = "mp4", seconds: int = 2, codec: str | None = "aac") -> bytes:
    """Ten pictures a second, with sound where it has a codec."""
    return _recorded(container, codec, 44_100, seconds, film=True)


def amr(seconds: int = 2) -> bytes:
    """Silence as old telephones record it: fifty frames a second of the lowest mode."""
    return b"#!AMR\n" + (b"\x04" + bytes(12)) * 50 * seconds


def _recorded(container: str, codec: str | None, rate: int, seconds: int, *, film: bool) -> bytes:
    written = BytesIO()
    with av.open(written, "w", format=container) as told:
        told.metadata.update({"title": BETRAYS, "comment": BETRAYS})
        shown: Any = told.add_stream("mpeg4", rate=10) if film else None
        heard: Any = told.add_stream(codec, rate=rate, layout="mono") if codec else None
        if shown:
            shown.width, shown.height, shown.pix_fmt = 320, 240, "yuv420p"
            for no in range(10 * seconds):
                image = Image.new("RGB", (320, 240), (no * 8 % 255, 100, 50))
                told.mux(shown.encode(av.VideoFrame.from_image(image)))  # type: ignore[no-untyped-call]
            told.mux(shown.encode(None))
        if heard:
            hum = array("h", (int(9000 * math.sin(at / 20)) for at in range(rate * seconds)))
            frame = av.AudioFrame(format="s16", layout="mono", samples=len(hum))
            frame.sample_rate = rate
            frame.planes[0].update(hum.tobytes())
            resampler = av.AudioResampler(heard.format.name, "mono", rate, frame_size=heard.frame_size or None)
            for each in (*resampler.resample(frame), *resampler.resample(None)):
                told.mux(heard.encode(each))
            told.mux(heard.encode(None))
    return written.getvalue()
