"""Pages -> pictures, by a Chromium without a window; small enough to be kept beside the README."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from tests.look.page import NOTHING

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
_WIDE, _HIGH = 800, 5_000
"""A window of any message's size: what is not used is cut off."""
_COLOURS, _ALIKE = 40, 100
"""So many at most, and so far apart in the square."""
_WITHIN_S = 120


def browser() -> str | None:
    """Where it is, if it is installed."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def shoot(chromium: str, page: Path, to: Path, scale: int = 2) -> None:
    """A picture of what a page shows, and of nothing around it."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        subprocess.run(
            [
                *(chromium, *_QUIET, f"--user-data-dir={folder}/profile"),
                *(f"--window-size={_WIDE},{_HIGH}", f"--force-device-scale-factor={scale}"),
                *(f"--screenshot={raw}", page.resolve().as_uri()),
            ],
            check=True,
            capture_output=True,
            timeout=_WITHIN_S,
        )
        with Image.open(raw) as found:
            _kept(found.convert("RGB")).save(to, optimize=True)


def top(picture: Path, to: Path, high: int) -> None:
    """The first `high` pixels of a picture."""
    with Image.open(picture) as found:
        found.crop((0, 0, found.width, min(high, found.height))).save(to, optimize=True)


def _kept(raw: Image.Image) -> Image.Image:
    nothing = Image.new("RGB", raw.size, NOTHING)
    cut = raw.crop(ImageChops.difference(raw, nothing).getbbox())
    # Without dithering letters stay clean.
    return cut.quantize(palette=_palette(cut), dither=Image.Dither.NONE)


def _palette(of: Image.Image) -> Image.Image:
    """Its most frequent colours, each as it is, and none like another: badges keep theirs too."""
    found = of.getcolors(of.width * of.height) or []
    chosen: list[tuple[int, ...]] = []
    for _, colour in sorted(found, reverse=True):
        if isinstance(colour, tuple) and all(_far(colour, other) for other in chosen):
            chosen.append(colour)
        if len(chosen) == _COLOURS:
            break
    flat = [part for colour in chosen for part in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette(flat + flat[:3] * (256 - len(chosen)))
    return palette


def _far(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) > _ALIKE
