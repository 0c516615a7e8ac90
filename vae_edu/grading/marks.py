"""The marks: every exercise of every submission, by its answers to cases that the student cannot know."""

from dataclasses import dataclass, field, replace

from vae_edu.exercises import EXERCISES, LESSONS, NUMBERS, Exercise, variants
from vae_edu.exercises.cases import SIZES, Case, cases
from vae_edu.exercises.diagnosis import diagnose
from vae_edu.grading import wire
from vae_edu.grading.flags import flags
from vae_edu.grading.sandbox import Sandbox
from vae_edu.grading.submission import Submission

SECONDS = 10  # for an exercise, which takes a fraction of one
PROCESSOR_SECONDS = 3
ENDED = {  # what the student is told, by how the process ended
    "time": (
        f"it was stopped after {PROCESSOR_SECONDS} seconds of computing, or {SECONDS} seconds in all; "
        "look for a loop that does not end"
    ),
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
        name: The person's name, if the platform or the roster says it.
        account: The platform's number of the student, such as Moodle's or Canvas's.
        folder: The name of the folder for the student's pages.
    """

    student: str
    lesson: str
    file: str
    digest: str = ""
    note: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    answer: str = ""
    name: str = ""
    account: str = ""
    folder: str = ""

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


Known = dict[tuple[str, str], Mark]  # the marks of exercises and programs that were tried


def mark(
    submission: Submission,
    name: str,
    tried: list[Case],
    sandbox: Sandbox,
    known: Known | None = None,
    variant: int | None = None,
) -> Mark:
    """Mark one exercise of a submission by its answers to the cases, which the sandbox runs.

    Whatever fails in the grader itself costs no more than this mark, which is then not final.

    Args:
        submission: What the notebook holds.
        name: The exercise.
        tried: Its cases.
        sandbox: The process that runs students' code.
        known: Marks of the same programs, such as those of cells that nobody has changed; this one is added.
        variant: The seed of the class's variant of the exercises, if it has one.
    """
    exercise = variants.exercise(name, variant)
    try:
        if needs := submission.unmarked.get(name):
            return Mark(0, exercise.points, f"it was not marked: {needs}", [needs])
        if name in submission.broken:
            return Mark(0, exercise.points, submission.broken[name])
        if not (times := submission.times_defined(name)):
            return Mark(0, exercise.points, "there is no such function in the notebook")
        program = submission.program(name)
        given = (known or {}).get((name, program)) or _mark(exercise, program, name, tried, sandbox)
        if not given.final:  # perhaps the machine's fault, not the student's
            given = _mark(exercise, program, name, tried, sandbox)
        if known is not None and given.final:
            known[name, program] = given
        if times > 1:
            return replace(
                given, flags=[*given.flags, f"it is defined {times} times, and the last one counts"]
            )
        return given
    except Exception as error:
        return unmarkable(name, error)


def unmarkable(name: str, error: Exception) -> Mark:
    """The mark of an exercise at which the grader failed; a person has to decide."""
    mistake = f"it could not be marked ({type(error).__name__} in the grader); please tell your teacher"
    return Mark(0, EXERCISES[name].points, mistake, final=False)


def not_final(record: Record) -> str:
    """What the teacher should know of marks that are not final; "" if all are."""
    open_ones = {name: given for name, given in record.marks.items() if not given.final}
    said = "; ".join(f"{NUMBERS[name]} {name}: {given.mistake}" for name, given in open_ones.items())
    return f"not sure of 0 points for {said}" if said else ""


def _mark(exercise: Exercise, program: str, name: str, tried: list[Case], sandbox: Sandbox) -> Mark:
    """The mark of a program, by one run of it."""
    reply = sandbox.reply(
        {
            "program": program,
            "function": name,
            "cases": [case.arguments for case in tried],
            "gradients": exercise.gradients,
            "seconds": SECONDS,
            "processor": PROCESSOR_SECONDS,
        }
    )
    mistake, remark = ENDED.get(reply["ended"]), None
    if mistake is None:
        try:
            answers = wire.answers(reply["text"], len(tried))
        except ValueError as error:
            mistake = str(error)
        else:
            mistake, remark = diagnose(exercise, tried, answers)
    points = 0 if mistake else exercise.points
    final = reply["ended"] != "crash"
    return Mark(points, exercise.points, mistake, flags(program, name), remark, final)
