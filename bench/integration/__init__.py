"""One measurement for each library that :mod:`pyvae.integrations` is for."""
