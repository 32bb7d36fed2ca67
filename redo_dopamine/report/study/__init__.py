"""The report of a study: scores, dormancy, tables, figures."""
