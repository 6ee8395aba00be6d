"""What all readers of text share."""

from chainrule.errors import ChainruleError


def check_utf8(data: bytes, name: str, content: str) -> None:
    """Refuse a text file that is empty, with what belongs in it, or is not UTF-8."""
    if not data or data.isspace():
        raise ChainruleError(f"{name}: the file is empty. {content}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ChainruleError(f"{name}, line {line}: is not UTF-8 text. Save the file as UTF-8.") from None
