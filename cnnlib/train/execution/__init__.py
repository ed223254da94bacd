"""How training is executed: device, threads, precision, memory and time."""
