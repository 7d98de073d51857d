"""The subjects that come with the package: models that use every layer, on real data."""
