"""The script of every page: it waits for the libraries, then shows the page of the address."""

from importlib import import_module

from cnnlib.ui.server.imports import import_pages

import_pages()
import_module("cnnlib.ui.server.navigation").show_page()
