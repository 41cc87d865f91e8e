"""Independent truth for the tests: written from the definitions, sharing no code with the package."""
