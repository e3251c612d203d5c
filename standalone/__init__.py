"""The one-machine runtime: what stands in for AWS when there is none."""
