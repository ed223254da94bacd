"""Designs without torch: the spec of a network, its plan, its costs and its exports."""
