"""What all readers of text share."""

from chainrule.errors import ChainruleError

MARK = b"\xef\xbb\xbf"  # the byte order mark with which some programs begin UTF-8


def check_utf8(data: bytes, name: str, content: str, before: int = 0) -> bytes:
    """A file's text without its byte order mark; refused where it is not UTF-8, or empty, with what belongs in it.

    There may be lines before it, whose number is given.
    """
    if not data.removeprefix(MARK).strip():
        raise ChainruleError(f"{name}: the file is empty. {content}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = before + data.count(b"\n", 0, error.start) + 1
        raise ChainruleError(f"{name}, line {line}: is not UTF-8 text. Save the file as UTF-8.") from None
    return data.removeprefix(MARK)
