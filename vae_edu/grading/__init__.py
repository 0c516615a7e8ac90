"""Grading: students' code runs in a confined process, and another process compares its answers.

What the command line takes stands here, since it must not import PyTorch for that.
"""

LAYOUTS = (
    "moodle", "canvas", "ilias", "blackboard", "classroom", "github", "nbgrader", "by-lesson", "flat",
)  # fmt: skip
ATTEMPTS = ("best", "latest")
FORMATS = ("plain", "canvas", "moodle", "nbgrader")
