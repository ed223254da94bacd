"""Results as files that travel: CSV, Markdown, LaTeX, and HTML with charts."""
