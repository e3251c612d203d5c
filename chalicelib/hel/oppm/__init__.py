"""Programs of OPPM repositories, imported as packages."""
