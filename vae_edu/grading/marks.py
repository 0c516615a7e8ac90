"""The marks: every exercise of every submission, by its answers to cases that the student cannot know."""

from dataclasses import dataclass, field

from vae_edu.exercises import EXERCISES, LESSONS, Exercise
from vae_edu.exercises.cases import SIZES, Case, cases
from vae_edu.exercises.diagnosis import diagnose
from vae_edu.grading import wire
from vae_edu.grading.flags import flags
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import Submission

SECONDS = 10  # for an exercise, which takes a fraction of one
ENDED = {  # what the student is told, by how the process ended
    "time": f"it was stopped after {SECONDS} seconds; look for a loop that does not end",
    "output": "it returned more than an answer can hold",
    "crash": "its process ended without an answer",
}


@dataclass(frozen=True)
class Mark:
    """The mark of one exercise.

    Attributes:
        points: The points given.
        of: The points of a right answer.
        mistake: What is wrong, in words; None if the answers are right.
        flags: What a teacher should look at.
        remark: What the student should know of a right answer, such as another dtype than the one asked for.
        final: Whether another run would say the same; not so if the process ended without an answer.
    """

    points: int
    of: int
    mistake: str | None = None
    flags: list[str] = field(default_factory=list)
    remark: str | None = None
    final: bool = True


@dataclass(frozen=True)
class Record:
    """The result of one notebook.

    Attributes:
        student: The student's name.
        lesson: The lesson's name; "" if the notebook holds no exercise of the course.
        file: The path of the notebook.
        digest: The SHA-256 of its content; "" if it could not be read.
        note: What the teacher and the student should know.
        marks: The marks by exercise.
        answer: The student's answer to the lesson's question, as Markdown; a person marks it.
    """

    student: str
    lesson: str
    file: str
    digest: str = ""
    note: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    answer: str = ""

    @property
    def points(self) -> int:
        """The points of all exercises together."""
        return sum(mark.points for mark in self.marks.values())

    @property
    def most(self) -> int:
        """The most points that the lesson gives."""
        return sum(exercise.points for exercise in LESSONS.get(self.lesson, {}).values())


def hidden_cases(exercise: Exercise, seed: int) -> list[Case]:
    """The cases of a grading: other numbers and other sizes than those of a check."""
    sizes = [(B + seed % 3 + 1, D + seed % 2, d) for B, D, d in SIZES]
    return cases(exercise, seed, sizes, cuda=False)


def mark(submission: Submission, name: str, tried: list[Case], sandbox: Sandbox) -> Mark:
    """Mark one exercise of a submission by its answers to the cases, which the sandbox runs."""
    exercise = EXERCISES[name]
    if name in submission.broken:
        return Mark(0, exercise.points, submission.broken[name])
    if not (times := submission.times_defined(name)):
        return Mark(0, exercise.points, "there is no such function in the notebook")
    program = submission.program(name)
    reply = sandbox.reply(
        {
            "program": program,
            "function": name,
            "cases": [case.arguments for case in tried],
            "gradients": exercise.gradients,
            "seconds": SECONDS,
        }
    )
    used: list[str] = []
    mistake, remark = ENDED.get(reply["ended"]), None
    if mistake is None:
        try:
            answers, used, isolated = wire.answers(reply["text"], len(tried))
            sandbox.isolated &= isolated
            mistake, remark = diagnose(exercise, tried, answers)
        except ValueError as error:
            mistake = str(error)
    found = flags(program, name, used)
    if times > 1:
        found.append(f"it is defined {times} times, and the last one counts")
    return Mark(0 if mistake else exercise.points, exercise.points, mistake, found, remark)
