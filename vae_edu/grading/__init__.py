"""Grading: students' code runs in a confined process, and its answers are compared in another."""
