"""One tree of errors, as its module's docstring draws it."""

import inspect
import re

import pytest

from yocto import errors
from yocto.errors import YoctoError

TREE = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls)}


def drawn_parents() -> dict[str, str]:
    """Name -> parent, as the docstring's tree has them."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]*)([A-Z]\w+Error) ", line):
            depth = len(found[1]) // 4
            path = [*path[:depth], found[2]]
            parents[found[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_docstring_draws_the_tree_as_it_is():
    assert drawn_parents() == {name: cls.__base__.__name__ for name, cls in TREE.items()}


@pytest.mark.parametrize("name", TREE)
def test_one_except_catches_every_error(name):
    with pytest.raises(YoctoError) as caught:
        raise TREE[name]("what is wrong", "what to do")
    assert (caught.value.message, caught.value.hint) == ("what is wrong", "what to do")


def test_an_error_reads_as_its_message_and_its_hint():
    assert str(YoctoError("what is wrong", "what to do")) == "what is wrong\nwhat to do"
    assert str(YoctoError("what is wrong")) == "what is wrong"
