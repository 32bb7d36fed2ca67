"""The one exception that stands for a mistake in what the user gave us."""


class UserError(Exception):
    """A wrong input: its message gives the rule, the value seen and the remedy.

    Entry points print the message without a traceback and exit with status 2.
    """
