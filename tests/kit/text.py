"""Tables written as text, for tests whose examples are read by people."""


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a table: the first line names the columns, two spaces or more part them, `-` means nothing."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    heads = _cells(lines[0])
    return [dict(zip(heads, _cells(line), strict=True)) for line in lines[1:]]


def _cells(line: str) -> list[str]:
    return ["" if cell.strip() == "-" else cell.strip() for cell in line.split("  ") if cell.strip()]
