"""Loops that are sure to end: LLVM code in which every iteration uses up fuel; without fuel, a function returns an error.

Checked kernels are compiled so. Bounds checks keep rules from writing outside their arrays whatever the record holds, but a
`while` over an impossible record may go on for ever, in machine code that no signal interrupts.
"""

from __future__ import annotations

import re

FUEL = 1 << 28  # turns of loops in one call of a kernel: half a second
FUEL_A_GAME = 100_000  # and for each of its games,
FUEL_A_NUMBER = 64  # and for each number in a game's buffers

LABEL = re.compile(r"(B\d+):")  # where a block of Python's begins
BRANCH = re.compile(r"  br (?:i1 (?P<condition>\S+), )?label %(?P<first>[^\s,]+)(?:, label %(?P<second>[^\s,]+))?")


def with_fuel(code: str) -> str:
    """LLVM code with fuel spent where a jump goes back, in functions that return i32, which is not 0 after an error.

    Every way round a loop has such a jump: to a block of Python's that stands before, or to the own one. Blocks within
    these are Numba's, whose loops end with the array that they are over.
    """
    lines: list[str] = []
    seen: set[str] = set()  # blocks so far of a function that may fail
    may_fail, jumps = False, 0
    for line in code.splitlines():
        branch = BRANCH.match(line)
        if line.startswith("define"):
            seen, may_fail = set(), line.startswith("define i32 ")
        elif (label := LABEL.match(line)) and may_fail:
            seen.add(label[1])
        elif line == "}" and may_fail:
            lines += ["out_of_fuel:", "  ret i32 1"]
        elif branch and seen & {branch["first"], branch["second"]}:
            jumps += 1
            lines += _spend(jumps, branch)
            continue
        lines.append(line)
    return "\n".join([*lines, "@fuel = internal global i64 0", ""])


def fuel_for(numbers: int) -> str:
    """LLVM code that fills up for games %first to %last, of so many numbers each."""
    return f"""
  %games = sub i64 %last, %first
  %share = mul i64 %games, {FUEL_A_GAME + FUEL_A_NUMBER * numbers}
  %fuel = add i64 %share, {FUEL}
  store i64 %fuel, ptr @fuel"""


def _spend(number: int, branch: re.Match[str]) -> list[str]:
    """A jump that leaves the loop where there is no fuel. No block is added, since others name the one that a jump is in."""
    condition, first, second = branch["condition"] or "true", branch["first"], branch["second"] or branch["first"]
    names = {k: f"%fuel.{k}.{number}" for k in ("had", "left", "dry", "wet", "taken", "way")}
    jump = [
        f"  {names['had']} = load i64, ptr @fuel",
        f"  {names['left']} = sub i64 {names['had']}, 1",
        f"  store i64 {names['left']}, ptr @fuel",
        f"  {names['dry']} = icmp slt i64 {names['left']}, 0",
    ]
    if first == second:
        return [*jump, f"  br i1 {names['dry']}, label %out_of_fuel, label %{first}"]
    return [
        *jump,
        f"  {names['taken']} = zext i1 {condition} to i8",
        f"  {names['way']} = select i1 {names['dry']}, i8 2, i8 {names['taken']}",
        f"  switch i8 {names['way']}, label %out_of_fuel [ i8 0, label %{second} i8 1, label %{first} ]",
    ]
