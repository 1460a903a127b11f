"""WebAssembly's binary format, as much of it as makes a module of the object file that LLVM writes.

An object file is a valid module but for one thing: it exports nothing. Which of its functions has which name stands in its
section "linking", which linkers read (github.com/WebAssembly/tool-conventions, Linking.md); here the exports are written from
it, and the sections for linkers are dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

HEADER = 8  # bytes: "\0asm" and the version
CUSTOM, IMPORT, EXPORT, ELEMENT, DATA = 0, 2, 7, 9, 11  # kinds of sections
SYMBOL_TABLE = 8  # a part of "linking"
FUNCTION, DATA_SYMBOL, SECTION_SYMBOL = 0, 1, 3  # kinds of symbols
LOCAL, UNDEFINED, NAMED = 0x02, 0x10, 0x40  # flags of symbols
I32_CONST, I64_CONST, END = 0x41, 0x42, 0x0B  # instructions
TABLE_KIND, MEMORY_KIND, GLOBAL_KIND = 1, 2, 3  # what is imported; 0 is a function
ALIGNMENT = 64


class Reader:
    """Reads numbers and names, one after the other."""

    def __init__(self, code: bytes, at: int = 0) -> None:
        self.code, self.at = code, at

    @property
    def more(self) -> bool:
        return self.at < len(self.code)

    def byte(self) -> int:
        self.at += 1
        return self.code[self.at - 1]

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.code[self.at - count : self.at]

    def number(self, signed: bool = False) -> int:
        """A whole number in LEB128."""
        value, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
        return value - (1 << shift) if signed and byte & 0x40 else value

    def name(self) -> str:
        return self.bytes(self.number()).decode()


def leb128(number: int) -> bytes:
    """A whole number from 0, as `Reader.number` reads it."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def with_length(content: bytes) -> bytes:
    return leb128(len(content)) + content


def sections(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each."""
    reader = Reader(code, HEADER)
    while reader.more:
        yield reader.byte(), reader.bytes(reader.number())


def function_numbers(code: bytes) -> dict[str, int]:
    """The numbers of an object file's own functions that are visible to others, by name."""
    linking = next(body for kind, body in sections(code) if kind == CUSTOM and Reader(body).name() == "linking")
    reader, found = Reader(linking), {}
    reader.name()
    reader.number()  # its version
    while reader.more:
        kind, size = reader.byte(), reader.number()
        part = Reader(reader.bytes(size))
        if kind == SYMBOL_TABLE:
            for _ in range(part.number()):
                name, number = symbol(part)
                if number is not None:
                    found[name] = number
    return found


def symbol(reader: Reader) -> tuple[str, int | None]:
    """Name of the next symbol, and its number if it is a function of the file's own that is visible to others."""
    kind, flags = reader.byte(), reader.number()
    if kind == DATA_SYMBOL:
        name = reader.name()
        if not flags & UNDEFINED:
            for _ in ("segment", "offset", "size"):
                reader.number()
        return name, None
    number = reader.number()
    if kind == SECTION_SYMBOL:
        return "", None
    name = reader.name() if not flags & UNDEFINED or flags & NAMED else ""
    return name, number if kind == FUNCTION and not flags & (UNDEFINED | LOCAL) else None


def with_exports(code: bytes, names: Collection[str]) -> bytes:
    """An object file as a module that exports these functions."""
    numbers = function_numbers(code)
    entries = b"".join(with_length(name.encode()) + b"\0" + leb128(numbers[name]) for name in names)
    exports = bytes([EXPORT]) + with_length(leb128(len(names)) + entries)
    found, written = code[:HEADER], False
    for kind, body in sections(code):
        if kind == CUSTOM:
            continue
        if kind >= ELEMENT and not written:  # sections have an order, and exports come before elements, code and data
            found, written = found + exports, True
        found += bytes([kind]) + with_length(body)
    return found


def imports(code: bytes) -> list[tuple[str, int]]:
    """Name and kind of what a module needs from outside."""
    found = []
    for kind, body in sections(code):
        reader = Reader(body)
        for _ in range(reader.number() if kind == IMPORT else 0):
            reader.name()  # of the module that has it
            name, sort = reader.name(), reader.byte()
            skip_type(reader, sort)
            found.append((name, sort))
    return found


def skip_type(reader: Reader, sort: int) -> None:
    """Read over what is said of the type of an import."""
    if sort == GLOBAL_KIND:
        reader.bytes(2)  # type, and whether it is mutable
        return
    if sort == TABLE_KIND:
        reader.byte()  # type of its elements
    bounded = reader.number()  # or, of a function, the number of its type
    if sort in (TABLE_KIND, MEMORY_KIND):
        for _ in range(2 if bounded & 1 else 1):
            reader.number()


def end_of_data(code: bytes) -> int:
    """The first address behind a module's constants, from which on memory is free."""
    end = ALIGNMENT  # address 0 stays empty, as compilers have it
    for kind, body in sections(code):
        reader = Reader(body)
        for _ in range(reader.number() if kind == DATA else 0):
            mode, at = reader.number(), 0
            if mode == 2:  # of a memory that is named
                reader.number()
            if mode != 1:  # it has an address
                if reader.byte() not in (I32_CONST, I64_CONST):
                    raise ValueError("data at an address that is not a constant")
                at = reader.number(signed=True)
                if reader.byte() != END:
                    raise ValueError("data at an address that is computed")
            end = max(end, at + len(reader.bytes(reader.number())))
    return -(-end // ALIGNMENT) * ALIGNMENT
