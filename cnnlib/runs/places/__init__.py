"""Where runs execute: on workers of this machine, or on a cluster."""
