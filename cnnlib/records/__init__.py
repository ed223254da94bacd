"""Every record that crosses a floor: what a run is told, what it tells, what is known about data."""
