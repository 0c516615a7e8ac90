"""The exercises of the course.

``LESSONS`` holds the exercises of each lesson in their order, ``EXERCISES`` all of them by name, and
``NUMBERS`` the number of each: "3.2" is the second exercise of lesson 03.
"""

from vae_edu.exercises import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
)
from vae_edu.exercises.exercise import Exercise

LESSONS = {
    "00_explicit_density": lesson_00.EXERCISES,
    "01_autoencoder": lesson_01.EXERCISES,
    "02_marginal_likelihood": lesson_02.EXERCISES,
    "03_bayes_rule": lesson_03.EXERCISES,
    "04_elbo": lesson_04.EXERCISES,
    "05_training": lesson_05.EXERCISES,
    "06_generation": lesson_06.EXERCISES,
    "07_editing": lesson_07.EXERCISES,
    "08_how_tight_is_the_bound": lesson_08.EXERCISES,
    "09_labels": lesson_09.EXERCISES,
    "10_your_own_images": lesson_10.EXERCISES,
}
EXERCISES = {name: exercise for lesson in LESSONS.values() for name, exercise in lesson.items()}
NUMBERS = {
    name: f"{int(lesson[:2])}.{order}"
    for lesson, exercises in LESSONS.items()
    for order, name in enumerate(exercises, start=1)
}

__all__ = ["EXERCISES", "LESSONS", "NUMBERS", "Exercise"]
