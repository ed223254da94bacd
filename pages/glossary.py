"""Glossary page: definitions of the technical terms."""

from cnnlib.ui.glossary import page

page.show()
