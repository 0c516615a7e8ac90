"""What a teacher reads: a table for any spreadsheet, pages for a phone, and all answers on one page."""

import csv
import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_teaching import PAGE as TEACHING
from vae_edu.exercises import LESSONS
from vae_edu.grading import formats, pages, questions, report, tables
from vae_edu.grading.headings import column
from vae_edu.grading.marks import Mark, Record

LESSON = "03_bayes_rule"
NAMES = list(LESSONS[LESSON])
MARKS = {name: Mark(2, 2) for name in NAMES} | {NAMES[1]: Mark(0, 2, "it forgets the prior", ["it uses gc"])}


def record(student="anna", **changes):
    return replace(
        Record(student, LESSON, f"in/{student}.ipynb", "x", "", MARKS, "Because of Jensen."), **changes
    )


def write(records, out, written=None):
    """All that a grading writes; what it says goes to stderr."""

    def say(sentence):
        print(sentence, file=sys.stderr)

    if said := report.keep_corrections(out, written):
        say(said)
    report.write_table(records, out)
    report.write_pages(records, out, "plain", say)
    return report.digest(out)


def rows(path):
    return {row["student_id"]: row for row in tables.read(path, "student_id")}


ODD = st.text(st.sampled_from("=+-@'\t\r\n;,\"a1＝ü\\"), max_size=9)


@given(ODD)
@settings(max_examples=500, deadline=None)
def test_no_cell_is_a_formula_and_every_cell_is_read_as_it_was(text):
    cell = tables.harmless(text)
    assert tables.whole(cell) == text
    for separator in ",;\t":  # as a spreadsheet of another country cuts the line
        for part in cell.split(separator):
            assert not part.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))


@pytest.mark.parametrize(
    "name", ["=cmd", "+1", "-1", "@x", "'=x", "'quoted", "eve;=1+1", 'a "b", c', "Müller", "012345"]
)
def test_an_id_comes_back_whole(tmp_path, name):
    report.write_table([record(name)], tmp_path / "g.csv")
    assert list(rows(tmp_path / "g.csv")) == [name]
    assert (tmp_path / "g.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent_id,")


def test_a_row_has_totals_and_a_column_for_each_question(tmp_path):
    other = Record("anna", "04_elbo", "b", "x", "", {name: Mark(1, 2) for name in LESSONS["04_elbo"]})
    report.write_table(
        [record(), other, Record("zoe", "", "zoe.pdf", note="it is no notebook")], tmp_path / "g.csv"
    )
    found = rows(tmp_path / "g.csv")
    anna = found["anna"]
    assert (anna["total"], anna["total max"], anna[LESSON], anna["04_elbo"]) == ("10", "16", "6", "4")
    assert (anna["3 question"], anna["4 question"], anna["flags"]) == ("", "", "3.2: it uses gc")
    assert found["zoe"]["notes"] == "it is no notebook"
    assert list(anna)[-4:] == ["total", "total max", "flags", "notes"]


@pytest.mark.parametrize("bad", ["x" * 10**6, "a\0b", "\ud800", "\u202e", "=1\n=2"])
def test_no_text_breaks_the_table(tmp_path, bad):
    report.write_table([record(note=bad), record("ben")], tmp_path / "g.csv")
    found = rows(tmp_path / "g.csv")
    assert list(found) == ["anna", "ben"]
    assert len(found["anna"]["notes"]) < 32_767


def saved(path, encoding="utf-8-sig", separator=",", decimal="."):
    """Save the table again, as a spreadsheet does."""
    lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(
        [[c.replace(".5", f"{decimal}5") for c in r] for r in lines]
    )
    path.write_bytes(text.getvalue().encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_as_any_spreadsheet_saves_it(tmp_path, encoding, separator):
    path = tmp_path / "g.csv"
    report.write_table([record("Müller", note="; – 1.5")], path)
    saved(path, encoding, separator, ",")
    (row,) = rows(path).values()
    assert (row["student_id"], row[LESSON], row["notes"]) == ("Müller", "6", "; – 1,5")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04", "is a workbook, not a .csv file: save it as"),
        (b"name|score\nanna|3\n", "with no separator, is 'name|score'"),
        (b"student_id,x\n1,2,3\n", "the row of '1' has 3 cells, but there are 2 columns with commas"),
        (b"student_id,a,a\n1,2,3\n", "has two columns 'a'"),
        (b"", "has no column student_id"),
        (b"student_id\n\x81\x8d", "is neither UTF-8 nor UTF-16 nor Windows-1252"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(tmp_path, content, said):
    (tmp_path / "g.csv").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(said)):
        tables.read(tmp_path / "g.csv", "student_id")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("1,5", 1.5), (" 2 ", 2), ("nan", None), ("1_0", None), ("02. Mai", None)],
)
def test_a_number_has_a_point_or_a_comma(text, value):
    assert tables.number(text) == value


def test_corrections_and_foreign_files_are_kept(tmp_path, capsys):
    out = tmp_path / "grades.csv"
    out.write_text("assignment,duedate\n")
    written = write([record()], out, None)
    assert (
        "grades.csv was there, and not written by grade: it is kept as grades.before-1.csv"
        in capsys.readouterr().err
    )
    assert write([record()], out, written) == written
    assert capsys.readouterr().err == ""
    corrected = (
        out.read_text(encoding="utf-8-sig").replace("anna,6", "anna,4").replace(",2,2,,", ",2,2,1.5,", 1)
    )
    out.write_text(corrected, encoding="utf-8")
    page = tmp_path / "grades_feedback" / "anna" / f"{LESSON}.html"
    page.write_text(page.read_text(encoding="utf-8").replace("Correct", "Well done"), encoding="utf-8")
    write([record(), record("late")], out, written)
    said = capsys.readouterr().err
    assert "grades.csv had changes that grade did not write: it is kept as grades.before-2.csv" in said
    assert (tmp_path / "grades.before-2.csv").read_text(encoding="utf-8") == corrected
    assert "Well done" in page.with_name(f"{LESSON}.before-1.html").read_text(encoding="utf-8")
    assert rows(out)["anna"]["3 question"] == "1.5"
    assert rows(out)["late"]["3 question"] == ""


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) \u202e \ud800 \0 "
    + "w" * 10**5
)


@pytest.mark.parametrize("kind", ["feedback", "questions"])
def test_a_page_shows_text_as_text(tmp_path, kind):
    marks = {NAMES[0]: Mark(0, 2, HOSTILE), NAMES[1]: Mark(2, 2, remark=HOSTILE)}
    bad = record(HOSTILE[:60].replace("\0", ""), note=HOSTILE, answer=HOSTILE, marks=marks, folder="anna")
    write([bad], tmp_path / "g.csv", None)
    path = {
        "feedback": tmp_path / "g_feedback" / "anna" / f"{LESSON}.html",
        "questions": tmp_path / "g_questions.html",
    }
    page = path[kind].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search('href="(?!./)', page)
    assert not set("\u202e\0") & set(page)
    assert "\\u202e" in page
    assert len(page) < 60_000


def test_a_page_says_what_it_is_about(tmp_path):
    marks = MARKS | {NAMES[0]: Mark(2, 2, remark="it is float64, not float32")}
    report.write_feedback(record(marks=marks, answer=""), tmp_path)
    page = (tmp_path / "anna" / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "Lesson 03: Bayes&#x27; rule" in page
    assert "<strong>anna: 6 of 8 points</strong>" in page
    assert "Correct. It is float64, not float32." in page
    assert "It forgets the prior." in page
    assert "There is no answer in your notebook" in page
    assert (page.count(">✓<"), page.count(">✗<")) == (3, 1)
    assert "it uses gc" not in page


@pytest.mark.parametrize("student", ["..", ".", "a/b", "../../x"])
def test_a_page_stays_in_its_folder(tmp_path, student):
    report.write_feedback(record(student), tmp_path / "g_feedback")
    (page,) = tmp_path.rglob("*.html")
    assert page.parent.parent == tmp_path / "g_feedback"


def test_all_answers_to_a_question_are_side_by_side(tmp_path):
    records = [record(), record("ben", answer=""), record("çağla", file=str(tmp_path / "in" / "ç #1?.ipynb"))]
    questions.write(records, tmp_path / "g.csv")
    page = (tmp_path / "g_questions.html").read_text(encoding="utf-8")
    assert page.count("Because of Jensen.") == 2
    assert page.count("no answer") == 1
    assert 'href="./in/%C3%A7%20%231%3F.ipynb"' in page
    assert "The logarithm is concave (Jensen)." in page


def test_lessons_have_the_names_of_the_teachers_page():
    found = dict(re.findall(r"^\| (\d\d) ([^|]+?) \| \d+ \| \d+ \+ 2", TEACHING, re.M))
    assert {lesson[:2]: name for lesson, name in pages.LESSON_NAMES.items()} == found


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_a_page_fits_a_phone(tmp_path):
    marks = {name: Mark(0, 2, "w" * 500) for name in NAMES}
    write([record("w" * 100, marks=marks, answer="w" * 500, folder="a")], tmp_path / "g.csv", None)
    for path in tmp_path.rglob("*.html"):
        text = path.read_text(encoding="utf-8").replace("default-src 'none'; style-src 'unsafe-inline'", "")
        frame = tmp_path / "frame.html"
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        frame.write_text(
            '<iframe id="f" src="page.html" style="width:390px;height:600px;border:0"></iframe>'
            "<script>f.onload = () =>"
            "{ document.title = f.contentDocument.documentElement.scrollWidth }</script>"
        )
        command = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
        ]
        command += ["--virtual-time-budget=2000", "--dump-dom", frame.as_uri()]
        dom = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert int(re.search(r"<title>(\d+)</title>", dom)[1]) <= 390, path.name


MOODLE = record("4711", name="Anna Müller", account="998", folder="Anna Müller_998_assignsubmission_file_")


def test_canvas_reads_its_columns(tmp_path):
    (path,) = formats.write([replace(MOODLE, account="23"), record("ben")], tmp_path / "g.csv", "canvas")
    assert path.read_bytes().startswith(b"Student,ID,SIS User ID,SIS Login ID,Section,03_bayes_rule\r\n")
    assert list(csv.reader(path.open(encoding="utf-8")))[1:] == [
        ["    Points Possible", "", "", "", "", "8"],
        ["Anna Müller", "23", "4711", "4711", "", "6"],
        ["ben", "", "ben", "ben", "", "6"],
    ]


def test_moodle_reads_its_columns(tmp_path):
    (path,) = formats.write([MOODLE, record("ben@x.org")], tmp_path / "g.csv", "moodle")
    assert path.name == "g_moodle_03_bayes_rule.csv"
    anna, ben = csv.DictReader(path.open(encoding="utf-8"))
    assert (anna["Identifier"], anna["ID number"], anna["Grade"], anna["Maximum Grade"]) == (
        "Participant 998", "4711", "6", "8",
    )  # fmt: skip
    assert (ben["Identifier"], ben["Email address"], ben["Last modified (grade)"]) == ("", "ben@x.org", "")


def test_nbgraders_columns_are_those_of_its_export(tmp_path):
    import inspect

    from nbgrader.plugins.export import CsvExportPlugin

    (path,) = formats.write([MOODLE], tmp_path / "g.csv", "nbgrader")
    (row,) = csv.DictReader(path.open(encoding="utf-8"))
    keys = re.search(r"keys = \[(.*?)\]", inspect.getsource(CsvExportPlugin), re.S)[1]
    assert list(row) == re.findall(r'"(\w+)"', keys)
    assert (row["assignment"], row["last_name"], row["score"], row["max_score"]) == (
        LESSON,
        "Müller",
        "6.0",
        "8.0",
    )


def test_a_format_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no format x: the formats are plain"):
        formats.write([], tmp_path / "g.csv", "x")
    assert column(NAMES[0]) == "3.1 posterior_on_grid"
