"""``python -m cnnlib.probe.viewer``: the viewer process."""

from cnnlib.probe.viewer.process import main

if __name__ == "__main__":
    main()
