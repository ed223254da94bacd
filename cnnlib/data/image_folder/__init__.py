"""Users' own datasets: class folders of pictures, in a directory or a zip."""
