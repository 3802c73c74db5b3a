"""The project's notebooks, wherever they are installed, and the grading of submitted ones."""
