"""The roster: tables as teachers and platforms write them, and whose a file is."""

import pytest

from tests.test_layouts import B, found, students  # noqa: F401
from vae_edu.grading.roster import Roster

TABLES = {
    "plain": b"id,name\n4711,Anna Mueller\n4712,Ben Li\n",
    "excel": "id;name;group\r\n4711;Anna Müller;A\r\n4712;Ben Li;B\r\n".encode("cp1252"),
    "bom": b"\xef\xbb\xbfname,id\nAnna Mueller,4711\n\nBen Li,4712\n",
    "utf16": "id\tname\n4711\tAnna Mueller\n4712\tBen Li\n".encode("utf-16"),
    "sep": b"sep=;\nid;name\n4711;Anna Mueller\n4712;Ben Li\n",
    "canvas": b'Student,ID,SIS Login ID\n" Points Possible",,\n"Mueller, Anna",4711,am\n"Li, Ben",4712,bl\n',
    "moodle": b"First name,Surname,ID number,Email address\nAnna,Mueller,4711,am@x.org\nBen,Li,4712,\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_they_come(tmp_path, name):
    path = tmp_path / "roster.csv"
    path.write_bytes(TABLES[name])
    roster = Roster(path)
    assert [student.id for student in roster.students] == ["4711", "4712"]
    for called in ("4712", "Ben Li", "Li, Ben", "liben"):
        assert [student.id for student in roster.whose("x", [called])] == ["4712"]
    assert not roster.whose("x", ["zoe"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"who,what\na,b\n", "has no column id, but who, what"),
        (b"id,name\n1,a\n1,b\n", "has the id 1 in two rows"),
        (b"id,name\n", "has no students"),
        (None, "cannot be opened"),
    ],
)
def test_a_bad_table_gets_a_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "roster.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Roster(tmp_path / "roster.csv")


def test_everybody_in_the_roster_has_a_row_and_nobody_else(found, tmp_path):  # noqa: F811
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,pattern\na,Anna Mueller,\nb,Ben Li,*homework of ben*\nc,Cy Oh,\n")
    names = [f"muelleranna_47_998877_{B}", "homework of ben.ipynb", "zoe.ipynb"]
    finding = found(names, roster=roster)
    assert finding.missing == [("c", "Cy Oh")]
    assert {one.who.student for one in finding.found if not one.who.doubt} == {"a", "b"}
    assert [one.file for one in finding.doubts] == ["zoe.ipynb"]
    assert len(students(finding)) == 3


def test_two_of_one_name_are_not_guessed(found, tmp_path):  # noqa: F811
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\na,Anna Mueller\nb,Anna Mueller\n")
    finding = found(["Anna Mueller.ipynb", "a.ipynb"], roster=roster)
    assert [one.file for one in finding.doubts] == ["Anna Mueller.ipynb"]
