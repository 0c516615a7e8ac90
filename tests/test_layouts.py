"""Folders as they come from learning platforms: as many students go in as rows come out."""

import io
import json
import os
import socket
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest

from vae_edu.exercises import LESSONS
from vae_edu.grading import unpack
from vae_edu.grading.attempts import choose, original, version
from vae_edu.grading.find import find
from vae_edu.grading.grade import listing
from vae_edu.grading.marks import Mark, Record
from vae_edu.grading.names import folders, text, zipped

NAMES = ("03_bayes_rule", "04_elbo")


def notebook(*lessons):
    """A notebook that defines the exercises of the lessons."""
    sources = [f"def {name}(): pass" for lesson in lessons for name in LESSONS[lesson]]
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


CONTENT = {lesson: notebook(lesson) for lesson in NAMES}
B, E = "03_bayes_rule.ipynb", "04_elbo.ipynb"


@pytest.fixture
def found(tmp_path):
    """A function that makes files, and finds the submissions among them."""

    def make(names, **options):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for name in names:
            given = names[name] if isinstance(names, dict) else None
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            lesson = next((lesson for lesson in NAMES if lesson in name), "03_bayes_rule")
            path.write_bytes(CONTENT[lesson] if given is None else given)
        return look(folder, tmp_path, **options)

    return make


def look(root, tmp_path, **options):
    (tmp_path / "room").mkdir(exist_ok=True)
    return find([root], tmp_path / "room", **options)


def students(finding):
    return sorted({one.who.student for one in finding.found})


CLASSES = {  # files, the layout, the students
    "moodle": (
        [
            f"HW3-99/Anna Mueller_12_assignsubmission_file_/{B}",
            "HW3-99/Ben B_13_assignsubmission_file_/x.ipynb",
        ],
        "moodle",
        ["Anna Mueller_12", "Ben B_13"],
    ),
    "moodle_newer": (
        [f"Anna_12_assignsubmission_file/{B}", f"Ben_13_assignsubmission_file/{B}"],
        "moodle",
        ["Anna_12", "Ben_13"],
    ),
    "moodle_without_folders": (
        [f"Anna M_12_assignsubmission_file_{B}", "Ben_13_assignsubmission_onlinetext_onlinetext.html"],
        "moodle",
        ["Anna M_12", "Ben_13"],
    ),
    "moodle_same_name": (
        [f"Anna_12_assignsubmission_file_/{B}", f"Anna_13_assignsubmission_file_/{B}"],
        "moodle",
        ["Anna_12", "Anna_13"],
    ),
    "moodle_two_assignments": (
        [f"a/Anna_12_assignsubmission_file_/{B}", f"b/Anna_77_assignsubmission_file_/{E}"],
        "moodle",
        ["Anna"],
    ),
    "canvas": (
        [
            f"muelleranna_4711_998877_{B}",
            f"muelleranna_4711_998878_{E}",
            f"lib_4712_998880_{B}",
            "muelleranna_LATE_4711_998879_03_bayes_rule-1.ipynb",
        ],
        "canvas",
        ["lib_4712", "muelleranna_4711"],
    ),
    "canvas_anonymous": (
        [f"anon_aB3dE_998877_{B}", f"anon_LATE_zz9zz_998878_{B}"],
        "canvas",
        ["anon_aB3dE", "anon_zz9zz"],
    ),
    "canvas_zips": (["a_47_998877_hw.pdf", f"b_48_998878_{B}"], "canvas", ["a_47", "b_48"]),
    "ilias": (
        [f"Abgaben/Mueller_Anna_amueller_12345/{B}", f"Abgaben/van der Li_Bo_bli@x_12346/20261120101112_{B}"],
        "ilias",
        ["amueller", "bli@x"],
    ),
    "ilias_teams": (
        [f"Team 12/Mueller_Anna_amueller_1/{B}", f"Team 12/Li_Bo_bli_2/{B}", f"Team 13/Ah_Oh_oh_3/{B}"],
        "ilias",
        ["amueller", "bli", "oh"],
    ),
    "blackboard": (
        [f"HW3_abc1_attempt_2026-11-{day}-10-11-12_{B}" for day in (20, 21)]
        + ["HW3_abc1_attempt_2026-11-20-10-11-12.txt", f"HW3_xyz_attempt_2026-11-20-10-11-12_{B}"],
        "blackboard",
        ["abc1", "xyz"],
    ),
    "classroom": (
        [f"HW/Anna Mueller - {B}", f"HW/Copy of Ben - {B}", f"HW/Ben - {E}"],
        "flat",
        ["Anna Mueller", "Ben"],
    ),
    "github": (
        [f"homework-3-submissions/homework-3-anna-x/{B}", f"homework-3-submissions/homework-3-ben/{B}"],
        "github",
        ["anna-x", "ben"],
    ),
    "no_github": ([f"anna-mueller/{B}", f"anna-schmidt/{B}"], "folders", ["anna-mueller", "anna-schmidt"]),
    "nbgrader": (
        [f"anna/03_bayes_rule/{B}", "anna/03_bayes_rule/draft.ipynb", f"ben/04_elbo/{E}"],
        "nbgrader",
        ["anna", "ben"],
    ),
    "by_lesson": (
        [f"03_bayes_rule/{s}.ipynb" for s in ("anna", "ben", "cara")],
        "by-lesson",
        ["anna", "ben", "cara"],
    ),
    "by_homework": (
        [f"HW{i}/{s}.ipynb" for i in (3, 4) for s in ("anna", "ben")],
        "by-lesson",
        ["anna", "ben"],
    ),
    "flat": (
        [f"anna_{B}", f"anna_{E}", "ben.IPYNB", "u-1.ipynb", "u-2.ipynb"],
        "flat",
        ["anna", "ben", "u-1", "u-2"],
    ),
    "attempts": (
        [
            "anna.ipynb",
            "anna (1).ipynb",
            "Copy of anna.ipynb",
            "Copy_of_anna.ipynb",
            "Kopie von anna.ipynb",
            "anna-1.ipynb",
            "anna_v2.ipynb",
            "anna - Kopie (2).ipynb",
        ],
        "flat",
        ["anna"],
    ),
    "other_files": (
        ["ben.txt", "cara.7z", "dan.IPYNB", "eve.ipynb.txt", "fay.html"],
        "flat",
        ["ben", "cara", "dan", "eve", "fay"],
    ),
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_layout_has_as_many_rows_as_students(found, tmp_path, name, packed):
    names, layout, expected = CLASSES[name]
    finding = found(names)
    if packed:
        with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
            for path in (tmp_path / "in").rglob("*.*"):
                if path.is_file():
                    archive.write(path, path.relative_to(tmp_path / "in"))
        finding = look(tmp_path / "class.zip", tmp_path)
    assert students(finding) == expected
    assert finding.layouts == [layout]
    assert not finding.doubts
    known = {one.file for one in finding.found} | {file for file, _ in finding.left}
    assert known == set(names)  # nothing is dropped


@pytest.mark.parametrize(
    "names",
    [
        ["A/anna.ipynb", "A/ben.ipynb", "B/cara.ipynb"],
        [f"A/anna/{B}", f"A/ben/{B}", f"B/cara/{B}"],
        [B, "anna.ipynb"],
        ["x/anna.ipynb"],
        [f"Anna_12_assignsubmission_file_/{B}", "ben.ipynb"],
        [f"HW3_anna_m_attempt_2026-11-20-10-11-12_{B}", f"HW3_ben_m_attempt_2026-11-20-10-11-12_{B}"],
        [f"{h}/Anna_{n}_assignsubmission_file_/{B}" for h, n in (("a", 1), ("a", 2), ("b", 3), ("b", 4))],
    ],
)
def test_what_is_not_certain_is_said(found, names):
    finding = found(names)
    assert finding.doubts
    assert sum("NOT CERTAIN" in line for line in listing(finding)) == len(finding.doubts)


def test_a_layout_that_is_named_decides(found):
    names = ["A/anna.ipynb", "A/ben.ipynb", "B/cara.ipynb"]
    assert students(found(names, layout="flat")) == ["anna", "ben", "cara"]
    assert students(found(names, layout="nbgrader")) == ["A", "B"]
    assert not found(names, layout="by-lesson").doubts
    assert found(names, layout="moodle").doubts


def test_content_comes_before_the_name(found):
    finding = found({f"ben/{B}": CONTENT["04_elbo"], f"both/{B}": notebook(*NAMES), f"anna/{B}": None})
    lessons = {one.who.student: one.lessons for one in finding.found}
    assert lessons == {"anna": ("03_bayes_rule",), "ben": ("04_elbo",), "both": NAMES}
    assert "named 03_bayes_rule, but holds 04_elbo" in next(
        o.note for o in finding.found if o.who.student == "ben"
    )


def test_rubbish_of_systems_is_no_submission(found):
    rubbish = [
        ".ipynb_checkpoints/anna.ipynb",
        "__MACOSX/._anna.ipynb",
        "._anna.ipynb",
        "Thumbs.db",
        ".DS_Store",
    ]
    finding = found(["anna.ipynb", *rubbish])
    assert [one.file for one in finding.found] == ["anna.ipynb"]
    assert not finding.left


def test_names_in_any_bytes(found, tmp_path):
    (tmp_path / "in").mkdir()
    for name in (
        b"m\xfcller.ipynb",
        "Ćosić.ipynb".encode(),
        unicodedata.normalize("NFD", "Ödön.ipynb").encode(),
    ):
        try:
            Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name)).write_bytes(
                CONTENT["03_bayes_rule"]
            )
        except OSError:
            pytest.skip("this disk takes UTF-8 only")
    finding = found([unicodedata.normalize("NFC", "Ödön.ipynb")])
    assert students(finding) == ["müller", "Ćosić", "Ödön"] or students(finding) == sorted(
        ["müller", "Ćosić", "Ödön"]
    )
    assert len(finding.found) == 4
    "".join(listing(finding)).encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_what_is_no_plain_file_is_listed_and_never_opened(found, tmp_path):
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "fifo.ipynb")
    (tmp_path / "in" / "link.ipynb").symlink_to("/etc/passwd")
    with (tmp_path / "in" / "sparse.ipynb").open("wb") as file:
        file.truncate(10**11)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "in" / "sock.ipynb"))
        finding = found(["anna.ipynb"])
    assert dict(finding.left) == {
        "fifo.ipynb": "it is no ordinary file",
        "link.ipynb": "it is a link; put the file itself here",
        "sock.ipynb": "it is no ordinary file",
        "sparse.ipynb": "it is larger than 256 MB",
    }
    assert students(finding) == ["anna", "fifo", "link", "sock", "sparse"]


def archive(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_students_archives_are_unpacked_safely(found, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MAX_FILE", 2**20)
    monkeypatch.setattr(unpack, "MAX_ARCHIVE", 2**21)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as file:
        info = tarfile.TarInfo(f"hw/{B}")
        info.size = len(CONTENT["03_bayes_rule"])
        file.addfile(info, io.BytesIO(CONTENT["03_bayes_rule"]))
        link = tarfile.TarInfo("hw/evil.ipynb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    locked = bytearray(archive({B: CONTENT["03_bayes_rule"]}))
    for mark in (b"PK\3\4", b"PK\1\2"):
        locked[locked.index(mark) + (6 if mark[2] == 3 else 8)] |= 1
    finding = found(
        {
            "anna.zip": archive({f"anna/{B}": CONTENT["03_bayes_rule"]}),
            "ben.tar.gz": tar.getvalue(),
            "bomb.zip": archive({f"{i}.ipynb": b"0" * (2**20 - 1) for i in range(9)}),
            "damaged.zip": archive({B: CONTENT["03_bayes_rule"]})[:-9],
            "empty.zip": archive({}),
            "large.zip": archive({B: b"0" * 2**22}),
            "locked.zip": bytes(locked),
            "nested.zip": archive({"in.zip": archive({B: CONTENT["03_bayes_rule"]})}),
            "slip.zip": archive({"../../slip.ipynb": b"", "/abs.ipynb": b""}),
        }
    )
    marked = {one.file.split("/")[0] for one in finding.found if one.lessons}
    assert marked == {"anna", "ben", "nested"}
    assert {student.split(".")[0] for student in students(finding)} >= {
        *("anna", "ben", "bomb", "damaged", "empty", "large", "locked", "nested", "slip")
    }
    why = " ".join(f"{file}: {reason}" for file, reason in finding.left)
    for part in ("more than", "BadZipFile", "password", "leads out", "larger than", "no ordinary", "no file"):
        assert part in why
    assert not list(tmp_path.glob("*slip*"))
    assert len(list((tmp_path / "room").iterdir())) == 3


def test_names_in_zips_are_read_as_they_were_written():
    for name, encoding, windows in (
        ("Müller Größe", "cp437", True),
        ("Müller", "cp1252", False),
        ("Müller", "cp1252", True),
        ("Ćosić", "utf-8", False),
    ):
        assert zipped(name.encode(encoding).decode("cp437"), windows) == name


def test_a_zip_and_a_folder_of_one_name_are_two_attempts(found):
    finding = found({"anna/03_bayes_rule.ipynb": None, "anna.zip": archive({B: CONTENT["03_bayes_rule"]})})
    assert students(finding) == ["anna"]
    assert len({one.file for one in finding.found}) == 2


def test_folders_stay_apart_on_any_disk():
    names = [
        "anna",
        "Anna",
        "..",
        ".",
        "CON",
        "nul.txt",
        "a/b",
        "a\\b",
        "x" * 300,
        "x" * 301,
        "é" * 200,
        "",
        "\n",
        "a.",
    ]
    made = folders(names)
    assert len({name.casefold() for name in made.values()}) == len(names)
    for name in made.values():
        assert name.isprintable()
        assert 0 < len(name.encode()) < 140
        assert not set(name) & set('/\\<>:"|?*')
        assert name.strip(" .") == name
        assert name.casefold() not in ("con", "nul.txt", "..", ".")
    assert made["Anna"] == "Anna"


def test_copies_have_the_name_of_their_original():
    for name in (
        "anna (1)",
        "Copy of anna",
        "Copy_of_anna",
        "Kopie von anna",
        "anna - Copy",
        "anna - Kopie (2)",
        "anna copy 2",
    ):
        assert original(name)[0] == "anna"
    assert version("u-1", {"u-1", "u-2"}) == ("u-1", 0)
    assert version("u-1", {"u-1", "u"}) == ("u", 1)
    assert original("(1)")[0] == "(1)"


def test_which_attempt_counts():
    def record(file, points):
        return Record("anna", "03_bayes_rule", file, marks={"bayes_rule": Mark(points, 2)})

    attempts = [(record("anna.ipynb", 2), (0.0,)), (record("anna (1).ipynb", 0), (1.0,))]
    assert choose(attempts, "best").points == 2
    assert choose(attempts, "latest").points == 0
    assert choose(attempts, "latest").note == "of 2 notebooks for 03_bayes_rule, anna (1).ipynb is the latest"
    assert choose(attempts[:1], "best").note == ""


def test_text_of_any_name():
    assert text(os.fsdecode(b"\x81\xfc")) == "\x81ü"
