"""For nbval: its kernels run in this folder, so the paths that the caller gave must not be relative."""

import os

import run

os.environ.update(run.kernel_environment(inplace=False))
