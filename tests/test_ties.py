"""The numbers in the text of the lessons, and the program that holds them against the outputs."""

import random
import re
from pathlib import Path

import nbformat
import pytest
import ties

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def lesson(request):
    return request.param.stem, nbformat.read(request.param, as_version=4)


def test_every_number_in_the_text_is_what_the_outputs_say(lesson):
    name, notebook = lesson
    assert ties.problems(notebook, ties.read(name)) == []


def test_a_wrong_digit_is_found(lesson):
    """Any digit of a number in the text, one at a time."""
    name, notebook = lesson
    own, chance = ties.read(name), random.Random(0)
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    places = [
        (cell, number.start() + at)
        for cell in texts
        for number in ties.numbers(cell.source)
        for at, sign in enumerate(number[0])
        if sign.isascii() and sign.isdigit()
    ]
    assert len(places) > 20
    for cell, at in chance.sample(places, 20):
        text = cell.source
        cell.source = text[:at] + str((int(text[at]) + chance.randint(1, 9)) % 10) + text[at + 1 :]
        assert ties.problems(notebook, own), text[max(0, at - 30) : at + 30]
        cell.source = text


def test_a_wrong_output_is_found(lesson):
    """Change every number that is printed: whatever is tied to an output must disagree."""
    name, notebook = lesson
    own = ties.read(name)
    tied = [
        key for cell in own.values() for key, tie in cell.items() if re.match(r"(?!fact|mnist)[\w-]+: ", tie)
    ]
    for cell in notebook.cells:
        for part in cell.get("outputs", []):
            if "text" in part:
                part.text = re.sub(r"\d", lambda digit: str((int(digit[0]) + 5) % 10), part.text)
    wrong = ties.problems(notebook, own)
    assert len(wrong) >= 0.9 * len(tied)


def book(text, printed="", code="epochs = 10"):
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    cells[0].id, cells[1].id = "text", "run"
    cells[1].outputs = [nbformat.v4.new_output("stream", text=printed)]
    return {"cells": cells}


@pytest.mark.parametrize(
    ("text", "printed", "own"),
    [
        ("It is −72.3 nats.", "mean -72.34", {"−72.3": r"run: mean (\S+)"}),
        ("Some 1,500 images.", "n = 1480", {"1,500": r"run: n = (\d+)"}),
        ("About 16% of them.", "16.2% of", {"16%": r"run: (\S+) of"}),
        ("It is 5.0 times as wide.", "48.28 / 9.71", {"5.0 times": r"run: (\S+) / (\S+) => a / b"}),
        ("From 2.4 to 9.9 nats.", "2.44 ... 9.88", {"2.4": r"run: ^(\S+)", "9.9": r"run: \.\.\. (\S+)"}),
        ("| bound | −98 ± 3 |", "bound -96.2", {"−98 ± 3": r"run: bound (\S+)"}),
        ("| gap | 1.5 to 2.5 |", "gap 1.5\ngap 2.4", {"1.5 to 2.5": r"run: gap (\S+)"}),
        ("Ten or 10 epochs.", "", {"10": "code"}),
        ("Of 10¹⁰ years.", "", {"10¹⁰": "fact: the age of the universe in years"}),
        ("It takes 10¹⁹ draws.", "10¹⁹ draws", {"10¹⁹": r"run: (\S+) draws"}),
        ("See lesson 3 and lessons 4 to 6, D1, $x^2 + 5$ and `f(3)`; [here](a_4.html).", "", {}),
        ("A 2-D code, step 3, section 7, Exercise 4.1.", "", {}),
        ("On MNIST −138 ± 3.", "", {"−138 ± 3": r"mnist run: log p (\S+)"}),
    ],
)
def test_what_agrees(text, printed, own):
    assert ties.problems(book(text, printed), {"text": own}) == []


@pytest.mark.parametrize(
    ("text", "printed", "own", "said"),
    [
        ("It is −72.3 nats.", "mean -72.36", {"−72.3": r"run: mean (\S+)"}, "is -72.36 in the output of run"),
        ("It is 72.3 nats.", "mean -72.3", {"72.3": r"run: mean (\S+)"}, "is -72.3 in"),
        ("Some 1,500 images.", "n = 1551", {"1,500": r"run: n = (\d+)"}, "is 1551 in"),
        ("| −98 ± 3 |", "bound -101.5", {"−98 ± 3": r"run: bound (\S+)"}, "is -101.5 in"),
        ("| 1.5 to 2.5 |", "gap 2\ngap 3", {"1.5 to 2.5": r"run: gap (\S+)"}, "is 3 in"),
        ("It is 7.", "", {}, "'7' is not tied"),
        ("It is 7.", "", {"7": "code"}, "is not a number in the lesson's code"),
        ("It is 7.", "", {"7": "fact: "}, "a fact without a reason"),
        ("It is 7.", "", {"7": r"run: x (\d)"}, "finds nothing"),
        ("It is 7.", "", {"7": r"cell-99: x (\d)"}, "cell-99, which is not a cell of code"),
        ("It is 7.", "x 7", {"7": r"run: x (\d) => a / 0 +"}, "fails"),
        ("It is 7.", "x 7", {"7": "who knows"}, "write"),
        ("It is 7.5.", "x 7", {"7": r"run: x (\d)"}, "'7.5' is not tied"),
        ("None.", "x 7", {"7": r"run: x (\d)"}, "is tied and not there"),
        ("Two hundred of them.", "", {}, "'hundred' is not tied"),
        ("About two thirds of them.", "", {}, "'two thirds' is not tied"),
        ("It takes 10¹⁸ draws.", "10¹⁹ draws", {"10¹⁸": r"run: (\S+) draws"}, "is 1e+19 in"),
    ],
)
def test_what_disagrees(text, printed, own, said):
    assert any(said in problem for problem in ties.problems(book(text, printed), {"text": own}))


def test_what_is_tied_to_mnist_is_compared_with_mnist():
    own = {"text": {"−138 ± 3": r"mnist run: log p (\S+)"}}
    strokes = book("It is −138 ± 3.", "log p -90")
    assert ties.problems(strokes, own) == []
    assert ties.problems(strokes, own, book("", "log p -137")) == []
    assert ties.problems(strokes, own, book("", "log p -130")) != []


def test_ties_of_a_cell_that_is_gone_are_found():
    assert ties.problems(book("None."), {"old": {}}) == ["old is not a cell of text."]
