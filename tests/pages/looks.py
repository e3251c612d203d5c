"""The check of every page in Chromium: by axe, in both colour schemes and two widths."""

import os
from itertools import product
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SHOTS = os.environ.get("MOONBASE_SHOTS")  # a directory for screenshots of every page that is checked


def look(page: Page, name: str) -> None:
    """Check a page in light and dark mode, on phone and desktop widths: axe finds nothing, and nothing overflows."""
    for scheme, width in product(("light", "dark"), (360, 1280)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == [], f"{name}, {scheme}, {width}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is too wide for {width}"
        if _SHOTS:
            page.screenshot(path=Path(_SHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
