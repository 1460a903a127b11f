"""Optional packages, and how to install them."""

from __future__ import annotations


def packages_of(extra: str) -> str:
    """What `pip install` is to be given for an extra of pyproject.toml, such as "video".

    They are the packages themselves: the index has another project that is called Ludus.
    """
    from importlib.metadata import PackageNotFoundError, requires

    try:
        parts = [requirement.partition(";") for requirement in requires("ludus") or ()]
    except PackageNotFoundError:  # a folder of sources that is not installed
        parts = []
    wanted = [name.strip() for name, _, condition in parts if f'extra == "{extra}"' in condition]
    return " ".join(f"'{name}'" for name in wanted or [f".[{extra}]"])
