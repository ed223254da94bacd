"""Settings of the browser tests."""

from playwright.sync_api import expect

# The browser, the app, its worker and other tests share the cores, so a page may be slow. Tests of
# speed set shorter timeouts themselves.
expect.set_options(timeout=30_000)
