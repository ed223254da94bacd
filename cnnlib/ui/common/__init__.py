"""Modules shared by several pages: forms, pickers, addresses, messages, browser components."""
