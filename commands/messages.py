"""The messages of errors, for people: without error numbers and names of exceptions."""

_UNNAMED = ((TimeoutError, "it took too long"), (ConnectionError, "the connection failed"))


def message_of(error: BaseException) -> str:
    """The text of an error in one line; for an error of the system its reason and the file."""
    if isinstance(error, UnicodeDecodeError):
        return "the file is not text in UTF-8"
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror[:1].lower() + error.strerror[1:]
        return f"{error.filename}: {reason}" if error.filename else reason
    lines = str(error).splitlines()
    return lines[0] if lines else next((text for kind, text in _UNNAMED if isinstance(error, kind)), "it failed")
