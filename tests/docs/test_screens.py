"""docs/screens.md shows what the commands show."""

from tests.docs.screens import TARGET, make_page


def test_the_screens_are_those_of_the_commands() -> None:
    assert TARGET.read_text(encoding="utf-8") == make_page(), "run ./dev record"
