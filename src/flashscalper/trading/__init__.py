"""The engine: risk and sizing, order lifecycle, positions and their protection, reconciliation."""
