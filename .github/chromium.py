"""Print where playwright has put its Chromium, for a link where the tests look for one."""

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
