"""Every record that crosses a floor: what a run is told and tells, and what is known of data."""
