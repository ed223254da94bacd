"""People's own datasets: class folders of pictures, in a folder or a zip."""
