"""The ops and distributions inside other libraries, each a module of its own.

``pyro``, ``scvi``, ``diffusers``, ``lightning`` and ``nflows``, and ``dtensor`` of torch itself. A
module imports its library; importing this package imports none of them.
"""
