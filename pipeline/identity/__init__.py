"""The pure identity core, in the order data flows. Nothing here does I/O; a test forbids it."""
