"""Descriptions are read from docstrings."""

from muzero.config.descriptions import arguments, descriptions


def test_the_arguments_of_a_docstring_are_read_with_their_continuations():
    text = """Purpose.

    one: is not an argument.

    Args:
        first: one line: with a colon.
        second (int): two
            lines, of which
              the last is deeper.

        third_one: after a blank line.

    Raises:
        ValueError: is not an argument.
    """
    assert arguments(text) == {
        "first": "one line: with a colon.",
        "second": "two lines, of which the last is deeper.",
        "third_one": "after a blank line.",
    }
    assert arguments("") == arguments("Purpose.") == arguments("Purpose.\n\nArgs:\n") == {}


class Base:
    """Args:
    hidden: not indented, so not an argument.
    """

    def __init__(self, *, a: int = 0, b: int = 0):
        """Make it.

        Args:
            a: of the base.
            b: of the base.
        """


class Derived(Base):
    """A class.

    Args:
        b: of the class that takes it.
    """


def test_a_description_is_inherited_unless_the_class_has_its_own():
    assert descriptions(Derived) == {"a": "of the base.", "b": "of the class that takes it."}
