"""The table of the benchmarks: its ratios, and its place in the README."""

import re
from pathlib import Path

from tests.benchmarks.__main__ import README, line, write
from tests.benchmarks.measure import Row, in_turns
from tests.benchmarks.rows import network


def test_ratios_are_taken_round_by_round():
    row = Row(
        "a thing", {"ours": [2.0, 3.0, 8.0], "products": [1.0, 2.0, 2.0], "DataLoader": [4.0, 9.0, 8.0]}
    )
    assert row.ratios("products") == (2.0, 1.5, 4.0)
    assert line("1", row) == ("| a thing | 1 | 3 s | 2 s | 2.00 (1.50–4.00) | DataLoader 2.00 (1.00–3.00) |")


def test_each_contender_has_its_turn_in_every_round():
    calls = []
    contenders = {"ours": lambda: calls.append("ours"), "products": lambda: calls.append("products")}
    row = in_turns("nothing", contenders, 3, units={"ours": 10})
    assert {name: len(seconds) for name, seconds in row.seconds.items()} == {"ours": 3, "products": 3}
    turns = re.sub(r"(\w)\1+", r"\1", "".join(call[0] for call in calls))
    assert turns == "op" * 4  # the first one warms up
    assert calls.count("ours") <= 1 + 3 * 50


def test_the_layers_of_a_network():
    assert network((400,), 20) == [(784, 400), (400, 40), (20, 400), (400, 784)]
    assert network((8, 9), 2) == [(784, 8), (8, 9), (9, 4), (2, 9), (9, 8), (8, 784)]


def test_a_table_takes_the_place_of_the_last_one_of_its_kind(tmp_path):
    text = README.read_text(encoding="utf-8")
    copy = Path(tmp_path) / "README.md"
    copy.write_text(text, encoding="utf-8")
    write("cpu", "a new table\n", copy)
    changed = copy.read_text(encoding="utf-8")
    assert "<!-- bench cpu -->\na new table\n<!-- /bench -->" in changed
    assert changed.split("<!-- bench cuda -->")[1] == text.split("<!-- bench cuda -->")[1]
    for kind in ("cpu", "cuda"):  # the present tables came from a run, and name its machine
        table = re.search(rf"<!-- bench {kind} -->\n(.*?)<!-- /bench -->", text, re.S)[1]
        assert re.match(r".+, PyTorch [\d.]+; medians of \d+ rounds", table)
        assert table.count("\n| training") >= 2
