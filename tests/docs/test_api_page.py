"""docs/api.md is the docstrings of today."""

from helpers import documents
from redo_dopamine.tools import api_page


def test_the_page_is_that_of_the_docstrings():
    page = (documents.ROOT / "docs" / "api.md").read_text()
    write = "run 'python -m redo_dopamine.tools.api_page > docs/api.md'"
    assert page == api_page.page(), write


def test_every_public_name_is_told_with_its_arguments():
    page = api_page.page()
    for room in api_page.ROOMS:
        for name in set(room.__all__) - {"__version__"}:
            assert f"\n{name}(" in page
    assert "redo(tau=0.1, period=1000," in page
    assert "_empty" not in page
