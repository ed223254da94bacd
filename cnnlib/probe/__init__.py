"""Look inside a trained network: filters, feature maps, arithmetic, gradients, reasons, errors."""
