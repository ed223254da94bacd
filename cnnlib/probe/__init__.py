"""Inspection of trained networks: filters, feature maps, arithmetic, gradients, attribution."""
