"""Hold the numbers in the text of a lesson against its outputs.

python notebooks/ties.py            list what is wrong in every lesson, and exit with 1 if anything is
python notebooks/ties.py 04_elbo    in one

A number that stands in a lesson's text is tied in numbers/NN_name.toml, in the table of its cell:

    [cell-13]
    "2.4" = 'cell-14: gap from (\\S+)'       a regular expression for the output of a cell
    "5 times" = 'swing: (\\S+) and (\\S+) => a / b'   its groups are a, b, c, ... of an expression
    "1.5 to 2.5" = 'cell-14: gap (\\S+)'     a range holds every value that is found; so does "2 ± 0.5"
    "−138 ± 3" = 'mnist cell-14: log p (\\S+)'    what the output says on MNIST
    "10,000" = "code"                             a setting: the number stands in the lesson's code
    "784" = "fact: 28 × 28 pixels"                a fact that no run can change, and why

A key is a piece of the cell's text that holds one number or a range. A number agrees with the value that is
found if it is this value, rounded to the digits shown; zeros at the end of a whole number are not digits.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
Ties = Mapping[str, Mapping[str, str]]

POWERS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
NUMBER = re.compile(rf"(?<![\w.,])[−–-]?\d+(?:,\d{{3}})*(?:\.\d+)?[{POWERS}]*(?:%|(?!\w))")
_PARTS = "thirds?|quarters?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|hundredths?|thousandths?"
WORDS = re.compile(
    r"\b(?:dozens?|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundreds?|thousands?|millions?|billions?"
    rf"|(?:an?|one|two|three|four|five|six|seven|eight|nine)[ -](?:{_PARTS}))\b",
    re.I,
)
NOT_TEXT = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|<[^>]*>"  # code, formulas, addresses
    r"|^#+ \d+ ·|^\s*\d+\. "  # a lesson's own number, the items of a list
    r"|\b(?:lesson|section|step|term|line|exercise|experiment|session)s? "
    r"\d[\d.]*(?:(?:, | and | to |–)\d[\d.]*)*"
    r"|\b\d+-D\b|\b[DL]\d\b",
    re.S | re.M | re.I,
)
RANGE = re.compile(rf"({NUMBER.pattern}) (±|to) ({NUMBER.pattern})")


def problems(notebook: dict[str, Any], ties: Ties, mnist: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with the numbers in a lesson's text, a sentence for each.

    Args:
        notebook: The lesson, executed on the stroke digits.
        ties: Id of a cell → piece of its text → what it is tied to.
        mnist: The lesson, executed on MNIST, if that was done.
    """
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    texts = {id_: source(cell) for id_, cell in cells.items() if cell["cell_type"] == "markdown"}
    found = [f"{id_} is not a cell of text." for id_ in ties.keys() - texts.keys()]
    for id_, text in texts.items():
        own = ties.get(id_, {})
        found += [f"{id_}: {number!r} is not tied." for number in _untied(text, own)]
        found += [f"{id_}: {key!r} is tied and not there." for key in own if not _places(key, _prose(text))]
        for key, tie in own.items():
            wrong = _disagreement(key, tie, notebook, mnist)
            found += [f"{id_}: {key!r} {wrong}"] if wrong else []
    return found


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def numbers(text: str) -> Iterator[re.Match[str]]:
    """The numbers in a text: digits, and words such as "hundred" or "two thirds"."""
    prose = _prose(text)
    yield from NUMBER.finditer(prose)
    yield from WORDS.finditer(prose)


def output(cell: dict[str, Any]) -> str:
    """What an executed cell printed."""
    parts = [part.get("text") or part.get("data", {}).get("text/plain", "") for part in cell["outputs"]]
    return "".join("".join(part) for part in parts)


def read(lesson: str) -> Ties:
    """The ties of a lesson such as "04_elbo"."""
    return tomllib.loads((FOLDER / "numbers" / f"{lesson}.toml").read_text(encoding="utf-8"))


def _prose(text: str) -> str:
    """The text with blanks for all that is not prose."""
    return NOT_TEXT.sub(lambda found: " " * len(found[0]), text)


def _places(key: str, text: str) -> list[tuple[int, int]]:
    """Where a key stands, not as a part of a longer number."""
    pattern = rf"(?<![\w.,−–-]){re.escape(key)}(?!\w|[.,]\d|%|[{POWERS}])"
    return [found.span() for found in re.finditer(pattern, text)]


def _untied(text: str, own: Mapping[str, str]) -> list[str]:
    covered = [span for key in own for span in _places(key, _prose(text))]
    return [
        number[0]
        for number in numbers(text)
        if not any(start <= number.start() and number.end() <= end for start, end in covered)
    ]


def _disagreement(key: str, tie: str, notebook: dict[str, Any], mnist: dict[str, Any] | None) -> str | None:
    """Why a key is not what it is tied to; None if it is."""
    if tie == "code":
        return None if _in_code(key, notebook) else "is not a number in the lesson's code."
    if tie.startswith("fact: "):
        return None if len(tie) > 8 else "is a fact without a reason."
    form = re.fullmatch(r"(mnist )?([\w-]+): (.+?)(?: => (.+))?", tie, re.S)
    if not form:
        return f'is tied to {tie!r}: write "cell: regular expression", "code" or "fact: why".'
    if form[1] and mnist is None:
        return None
    executed = mnist if form[1] and mnist else notebook
    cell = next((cell for cell in executed["cells"] if cell["id"] == form[2]), None)
    if cell is None or cell["cell_type"] != "code":
        return f"is tied to {form[2]}, which is not a cell of code."
    try:
        matches = [found.groups() for found in re.finditer(form[3], output(cell), re.M)]
        values = [_evaluate(groups, form[4]) for groups in matches]
    except (ValueError, NameError, SyntaxError, re.error) as error:
        return f"is tied to {tie!r}, which fails: {error}."
    if not values:
        return f"is tied to {tie!r}, which finds nothing."
    wrong = [value for value in values if not _agrees(key, value)]
    return f"is {', '.join(f'{value:.6g}' for value in wrong)} in the output of {form[2]}." if wrong else None


def _evaluate(groups: tuple[str, ...], expression: str | None) -> float:
    values = [number(text) for text in groups]
    names = dict(zip("abcdefghijkl", values, strict=False))
    return float(eval(expression or "a", {"__builtins__": {}}, names | {"abs": abs, "min": min, "max": max}))


def number(text: str) -> float:
    """ "−1,234.5%" → −1234.5, "10¹²" → 1e12."""
    plain = text.strip(" ,;:()[]%").rstrip(".").replace(",", "").replace("−", "-").replace("–", "-")
    digits, power = re.fullmatch(rf"([^{POWERS}]*)([{POWERS}]*)", plain).groups()  # type: ignore[union-attr]
    exponent = int("".join("-0123456789"[POWERS.index(sign)] for sign in power) or 1)
    return float(digits) ** exponent


def _agrees(key: str, value: float) -> bool:
    if spread := RANGE.search(key):
        first, last = number(spread[1]), number(spread[3])
        low, high = (first - last, first + last) if spread[2] == "±" else (first, last)
        return low <= value <= high
    text = NUMBER.search(key)
    if text is None:
        return False  # words
    shown, digits = number(text[0]), text[0].rstrip("%").replace(",", "")
    decimals = len(digits.partition(".")[2])
    zeros = len(digits) - len(digits.rstrip("0")) if shown and not decimals else 0
    return abs(value - shown) <= 0.5 * 10.0 ** (zeros - decimals) + 1e-9


def _in_code(key: str, notebook: dict[str, Any]) -> bool:
    code = "\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code")
    there = {
        float(text.replace("_", "")) for text in re.findall(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:e-?\d+)?", code)
    }
    return all(abs(number(found[0])) in there for found in NUMBER.finditer(key))


def main() -> int:
    import nbformat

    lessons = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.ipynb"))}
    found = 0
    for name in sys.argv[1:] or lessons:
        for problem in problems(nbformat.read(lessons[name], as_version=4), read(name)):
            print(f"{name}: {problem}")
            found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
