"""The one-machine runtime, which replaces the services of AWS."""
