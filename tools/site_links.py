"""A hook of MkDocs: documents that live elsewhere and are linked into ``docs`` keep links that hold in both places."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files, **_: Any) -> str:
    """Turns links to files of the repository into links to their pages.

    A document is read where it lies (on a forge, in a checkout), so its links lead from there. What is a page, by its
    own name or by a symbolic link, is linked as a page; what is none is left, and MkDocs complains of it.

    Args:
        markdown: text of the page.
        page: whose text it is.
        config: of the site.
        files: of the site.

    Returns:
        the text with its links as seen from the folder of the documents.
    """
    pages = {os.path.realpath(each.abs_src_path): each.src_uri for each in files if each.abs_src_path}
    home = Path(os.path.realpath(page.file.abs_src_path or config.docs_dir)).parent
    shown = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        target = pages.get(os.path.realpath(home / link[2]))
        return link[0] if target is None else f"{link[1]}{posixpath.relpath(target, shown or '.')}{link[3]}"

    return _LINK.sub(moved, markdown)
