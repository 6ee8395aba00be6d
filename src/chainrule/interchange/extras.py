"""Packages that only interchange needs, each of them an extra of Chainrule's."""

from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.errors import ChainruleError


@contextmanager
def needing(package: str, what: str, extra: str = "") -> Iterator[None]:
    """Around the import of a package that may be missing; what needs it is said in the plural, its extra if not alike.

    >>> with needing("nowhere", "Files of nowhere"):
    ...     import nowhere
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: Files of nowhere need the nowhere package. \
Install it: pip install 'chainrule[nowhere]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ChainruleError(
            f"{what} need the {package} package. Install it: pip install 'chainrule[{extra or package}]'"
        ) from None
