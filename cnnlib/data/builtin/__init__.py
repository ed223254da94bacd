"""Built-in datasets: their descriptions, and finding, downloading and reading their files."""
