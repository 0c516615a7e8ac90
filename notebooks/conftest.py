"""For nbval, whose kernels run in this folder: make the caller's relative paths absolute."""

import os

import run

os.environ.update(run.kernel_environment(inplace=False))
