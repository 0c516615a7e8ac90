"""Grading: students' code runs in a confined process, and another process compares its answers."""
