"""
What MkDocs asks when it builds the site: pages that are made from the code, and links to files that are no pages.

The pages in ``docs/`` are written for a repository's browser, too: a link to source code there leads to the
repository from the site.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

DOCS = Path(__file__).parents[1] / "docs"
SOURCE = "https://github.com/nlcore/nlcore/tree/main"
_MADE: dict[str, str] = {}


def on_config(config: Any) -> Any:
    """Make the pages of components, and put them into the menu behind those that the configuration names."""
    sys.path.insert(0, str(DOCS))
    os.environ["NL_PLUGINS"] = "nlcore"
    import component_pages

    _MADE.update(component_pages.pages())
    kinds: dict[str, list[str]] = {}
    for path in _MADE:
        if path.count("/") == 2:
            kinds.setdefault(posixpath.dirname(path), []).append(path)
    titles = {path: _MADE[paths[0]].partition("# ")[2].partition("\n")[0] for path, paths in kinds.items()}
    menu = [{titles[path]: paths} for path, paths in kinds.items()]
    config.nav.insert(-1, {"Components": ["components/index.md", *menu]})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that were made, a style sheet, and a script that lets a folder be searched."""
    for path, text in _MADE.items():
        files.append(File.generated(config, path, content=text))
    for asset in (Path(__file__).parent / "assets").iterdir():
        files.append(File.generated(config, f"assets/{asset.name}", abs_src_path=str(asset)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links to what is no page of the site to the repository, and names of built-in components to their pages."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def elsewhere(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[1]))
        file = files.get_file_from_path(path.removeprefix("docs/")) if path.startswith("docs/") else None
        if (file and file.inclusion.is_included()) or not (DOCS.parent / path).exists():
            return link[0]
        return f"]({SOURCE}/{path})"

    def listed(row: re.Match[str]) -> str:
        linked = re.sub(r"`(\w+)`", rf"[`\1`](components/{row[1]}/\1.md)", row[2])
        return f"| [{row[1]}](components/{row[1]}/index.md) | {row[2] if row[1] == 'preset' else linked} |"

    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
        markdown = re.sub(r"^\| (\w+) \| (`.*) \|$", listed, markdown, flags=re.MULTILINE)
    return re.sub(r"\]\(([\w./-]+)\)", elsewhere, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Let a line that docstrings end with two colons, before code, end with one."""
    return html.replace("::</p>", ":</p>")
