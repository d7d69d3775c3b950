"""`Record`: a class whose annotations are the keyword arguments of its constructor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """What type checkers know of a class, which is nothing at run time (PEP 681)."""
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, eq_default=False)
class Record:
    """Sets the annotated names of its class from keyword arguments, or else from the values they have in the class.

    `frozen`: they do not change later. It is like a dataclass, but `dataclasses` imports `inspect` and compiles code
    for each class, which is a tenth of the server's start.
    """

    def __init_subclass__(cls, *, frozen: bool = False) -> None:
        super().__init_subclass__()
        if frozen:
            cls.__setattr__ = _refuse_change  # type: ignore[assignment, method-assign]

    def __init__(self, **values: object) -> None:
        names = {name: None for cls in reversed(type(self).__mro__) for name in getattr(cls, "__annotations__", ())}
        if unknown := values.keys() - names:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        missing = [name for name in names if name not in values and not hasattr(type(self), name)]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")
        for name in names:
            object.__setattr__(self, name, values[name] if name in values else getattr(type(self), name))
        self.__post_init__()

    def __post_init__(self) -> None:
        """For what a class checks when its values are set."""


def _refuse_change(self: Record, name: str, value: object) -> NoReturn:
    raise AttributeError(f"a {type(self).__name__} does not change: {name} is set when it is made")
