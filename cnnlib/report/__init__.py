"""Export of results: CSV, Markdown, LaTeX, and HTML with charts."""
