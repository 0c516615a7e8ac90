"""Shared by all tests: quiet progress bars, figures without a screen, test data, and which tests are slow."""

import os
from pathlib import Path

import matplotlib
import pytest
import torch

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["VAE_EDU_PROGRESS"] = "0"  # tests must not count as a learner's work
matplotlib.use("agg")

# Left out by `make quick`: tests that train for seconds, start other processes, or grade.
# Each line is a file, or a test without its parameters; test_project.py checks that they exist.
SLOW = {
    "test_any_answer.py",
    "test_assignments.py",
    "test_cells.py",
    "test_benchmarks.py::test_the_time_is_that_of_a_process_without_what_measuring_takes",
    "test_benchmarks.py::test_the_others_train_until_the_elbo_is_reached",
    "test_benchmarks.py::test_ours_trains_as_long_as_its_learning_rate_lasts",
    "test_commands.py",
    "test_confine.py",
    "test_streams.py",
    "test_odd_commands.py",
    "test_distributed.py",
    "test_grading.py",
    "test_layouts.py::test_students_archives_are_unpacked_safely",
    "test_machine.py",
    "test_mnist.py",
    "test_pages.py",
    "test_own_sets.py",
    "test_explore.py",
    "test_gradebook.py",
    "test_gradescope.py",
    "test_reproduce.py",
    "test_unusual_input.py",
    "test_variants.py",
    "test_wheel.py",
    "test_bayes.py::test_bayes_rule_on_a_trained_vae",
    "test_checkpoint.py::test_a_full_disk_keeps_the_older_checkpoint",
    "test_checkpoint.py::test_a_flipped_bit_is_refused_or_changes_nothing",
    "test_device.py::test_as_a_user_sees_it",
    "test_diagnosis.py::test_right_answers_pass_whatever_the_hidden_cases",
    "test_download.py::test_two_processes_at_once",
    "test_edit.py::test_a_sampled_code_follows_q",
    "test_elbo.py::test_the_bound_is_below_and_the_gap_says_by_how_much",
    "test_elbo.py::test_the_three_terms_of_a_trained_vae_add_up",
    "test_figures.py::test_the_files_are_the_same_every_time",
    "test_lessons.py::test_a_failing_lesson_says_where_and_the_others_go_on",
    "test_lessons.py::test_a_kernel_of_another_python_in_the_users_folder_is_not_taken",
    "test_lessons.py::test_checked_outputs_do_not_depend_on_the_number_of_threads",
    "test_lessons.py::test_in_place_execution_is_repeatable_and_spares_what_fails",
    "test_lessons.py::test_running_writes_the_copy_and_the_page",
    "test_mapped.py::test_a_file_several_times_the_memory",
    "test_mapped.py::test_each_process_reads_its_own_share",
    "test_marginal.py::test_errors_are_as_large_as_stated",
    "test_marginal.py::test_gaussian_decoders_on_the_grid",
    "test_marginal.py::test_half_the_step_moves_a_trained_vae_by_less_than_a_thousandth",
    "test_marginal.py::test_memory_does_not_grow",
    "test_plots.py::test_many_images_make_a_figure_of_bounded_size",
    "test_own_images.py::test_any_array_by_any_route",
    "test_own_images.py::test_any_damage_to_a_file",
    "test_pictures.py::test_a_folder_without_permission",
    "test_pixelrnn.py::test_training_beats_independent_pixels_by_far_and_learns_nothing_impossible",
    "test_progress.py::test_a_notebook_without_ipywidgets_gets_a_line_and_no_advice",
    "test_progress.py::test_a_terminal_keeps_the_bar_on_one_line",
    "test_progress.py::test_closed_streams_end_nothing",
    "test_report.py::test_a_page_fits_a_phone",
    "test_report.py::test_nbgraders_columns_are_those_of_its_export",
    "test_report.py::test_no_cell_is_a_formula_and_every_cell_is_read_as_it_was",
    "test_sliders.py::test_a_committed_lesson_keeps_the_picture_and_nothing_of_the_widgets",
    "test_submission.py::test_nothing_that_is_handed_in_takes_long",
    "test_submission.py::test_a_file_of_any_format_is_read",
    "test_submission.py::test_a_process_that_crashes_or_hangs_or_eats_memory_is_ended",
    "test_strokes.py::test_fast_and_frugal",
    "test_strokes.py::test_same_seed_same_bytes_in_another_process",
    "test_train.py::test_reaches_the_least_squares_solution",
    "test_train.py::test_a_checksum_of_all_rows_takes_no_time",
    "test_train.py::test_compiled_and_parametrized_models_go_on",
    "test_train.py::test_signals_at_random_moments_lose_nothing",
    "test_train.py::test_the_stop_button_of_a_notebook",
    "test_train.py::test_weights_do_not_depend_on_the_number_of_threads",
}


def pytest_collection_modifyitems(items):
    for item in items:
        test = f"{item.path.name}::{getattr(item, 'originalname', '')}"
        if item.path.name in SLOW or test in SLOW:
            item.add_marker("slow")


def pytest_configure():
    """Let each of several workers use its share of the GPU only: PyTorch keeps what it has freed."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    if workers > 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(0.9 / workers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stroke digits as the files of a data set."""
    from tests.digits import write_digits  # only now, so that a run without these tests starts at once

    return write_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def chromium():
    """A headless browser, for tests with the marker `browser`."""
    from tests.test_browser import browser_program, start_playwright

    with (
        start_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox", "--disable-gpu"]
        ) as browser,
    ):
        yield browser


@pytest.fixture
def mnist():
    """The real MNIST, if VAE_EDU_DATA is the folder that holds it; else the test is skipped."""
    folder = Path(os.environ.get("VAE_EDU_DATA", "")) / "mnist"
    if not os.environ.get("VAE_EDU_DATA") or not folder.is_dir():
        pytest.skip("MNIST is not here: set VAE_EDU_DATA to the folder that holds mnist/")
    return "mnist"


@pytest.fixture(autouse=True)
def _same_numbers_every_time():
    """Seed every test, so that one that draws without a seed always passes or always fails."""
    torch.manual_seed(0)
