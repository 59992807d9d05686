"""The kill matrix: any process killed at any step, then the same again. `python -m tests.chaos` prints it."""
