"""HTML pages that show text of strangers as text, on a phone as well as on a desk."""

import hashlib
import html
import re
import unicodedata
from pathlib import Path

from vae_edu.engine.files import whole_file

MOST = 4000  # characters of one text in a page
LESSON_NAMES = {
    "00_explicit_density": "Explicit density",
    "01_autoencoder": "Autoencoders",
    "02_marginal_likelihood": "The marginal likelihood",
    "03_bayes_rule": "Bayes' rule",
    "04_elbo": "The evidence lower bound",
    "05_training": "Training",
    "06_generation": "Generating data",
    "07_editing": "Editing images",
    "08_how_tight_is_the_bound": "How tight is the bound?",
    "09_labels": "Draw me a 7",
    "10_your_own_images": "Your own images",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
* {{ box-sizing: border-box }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: {width};
        margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem }}
p {{ margin: .25rem 0 }}
h1, h2, p, figure {{ overflow-wrap: anywhere }}
.text {{ white-space: pre-wrap; overflow: hidden; unicode-bidi: isolate }}
{style}</style>
{body}
</html>
"""


def title(lesson: str) -> str:
    """A lesson's name in words: "Lesson 03: Bayes' rule"."""
    return f"Lesson {lesson[:2]}: {LESSON_NAMES.get(lesson, lesson[3:])}" if lesson else "No lesson"


def text(said: str) -> str:
    """Text as HTML: nothing in it is a tag, and what cannot be seen is written as its code (\\u202e)."""
    short = said if len(said) <= MOST else f"{said[:MOST]} … ({len(said):,} characters in all)"
    return html.escape("".join(map(_visible, short.replace("\r\n", "\n"))))


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    if not hidden or character in "\n\t":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def page(heading: str, body: str, style: str, width: str = "44rem") -> str:
    """A page, which knows by a checksum at its end whether somebody has changed it.

    Args:
        heading: Its title, as plain text.
        body: Its content, as HTML.
        style: More CSS.
        width: As wide as it may become.
    """
    content = PAGE.format(title=text(heading), width=width, style=style, body=body)
    return f"{content}<!-- vae_edu {_digest(content)} -->\n"


def write(path: Path, content: str) -> str | None:
    """Write a page of :func:`page`. One that somebody else has written or changed keeps a copy.

    Returns:
        A sentence on the copy, if there is one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = None if not path.exists() or _ours(path) else backup(path)
    with whole_file(path) as part:
        part.write_text(content, encoding="utf-8", errors="backslashreplace")
    return f"{path} had changes that grade did not write: they are in {kept.name}." if kept else None


def _ours(path: Path) -> bool:
    """Whether the page is as :func:`page` made it."""
    said = path.read_bytes().decode(errors="replace")
    found = re.fullmatch(r"(.*</html>\n)<!-- vae_edu ([0-9a-f]{16}) -->\n", said, re.S)
    return found is not None and _digest(found[1]) == found[2]


def backup(path: Path) -> Path:
    """Keep a file under a new name next to it, "grades.before-1.csv", and return that name."""
    for count in range(1, 10_000):
        kept = path.with_name(f"{path.stem}.before-{count}{path.suffix}")
        if not kept.exists():
            path.rename(kept)
            return kept
    raise ValueError(f"there are too many copies of {path}: move them elsewhere.")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode(errors="backslashreplace")).hexdigest()[:16]
