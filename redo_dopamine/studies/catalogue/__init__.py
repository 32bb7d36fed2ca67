"""The studies, a file for each paper or size."""
