"""What the browser tests share beside the fixtures of all tests."""

from playwright.sync_api import expect

# The browser, the app, its worker and other tests share the cores: a page may take a while. What
# must be quick says so where it is asserted.
expect.set_options(timeout=30_000)
