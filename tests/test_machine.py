"""A machine that fails right answers marks nobody."""

import pytest

from vae_edu.exercises import EXERCISES
from vae_edu.grading import machine
from vae_edu.grading.machine import GraderBroken, examine
from vae_edu.grading.marks import hidden_cases


class Replies:
    """A sandbox that always replies the same."""

    def __init__(self, **reply):
        self.reply_to = lambda request: reply
        self.programs = []

    def start(self):
        """It runs."""

    def reply(self, request):
        self.programs.append(request["program"])
        return self.reply_to(request)


@pytest.fixture
def tried():
    return {name: hidden_cases(EXERCISES[name], 3) for name in ("l2_loss", "cnn_layer")}


def test_a_machine_where_no_process_answers_is_broken_and_says_so(tried):
    with pytest.raises(GraderBroken) as said:
        examine(Replies(ended="crash", text=""), tried)
    assert "1.1 l2_loss: its process ended without an answer; 1.4 cnn_layer: " in str(said.value)
    assert "The students are not to blame" in str(said.value)


def test_the_lessons_own_solutions_are_tried_and_else_the_packages(tried, monkeypatch, tmp_path):
    sandbox = Replies(ended="crash", text="")
    for folder in (machine.LESSONS_FOLDER, tmp_path):
        monkeypatch.setattr(machine, "LESSONS_FOLDER", folder)
        with pytest.raises(GraderBroken):
            examine(sandbox, tried)
    assert "def l2_loss(" in sandbox.programs[0]
    # Each program is tried twice: no answer may be the machine's fault.
    assert sandbox.programs[-3].endswith("l2_loss = variants.exercise('l2_loss', None).reference")


def test_a_lesson_without_solutions_is_no_right_answer(monkeypatch, tmp_path):
    (tmp_path / "01_autoencoder.ipynb").write_text('{"cells": []}')
    monkeypatch.setattr(machine, "LESSONS_FOLDER", tmp_path)
    assert machine._right("01_autoencoder").times_defined("l2_loss") == 1


@pytest.mark.parametrize("at_hand", [True, False])
def test_this_machine_marks_right_answers_right(tried, at_hand, monkeypatch, tmp_path):
    if not at_hand:
        monkeypatch.setattr(machine, "LESSONS_FOLDER", tmp_path)
    with machine.Sandbox([], unconfined=True) as sandbox:
        examine(sandbox, tried)
