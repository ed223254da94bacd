"""The datasets that the lab knows by name, and how their files are found, downloaded and read."""
