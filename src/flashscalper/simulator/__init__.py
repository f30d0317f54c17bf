"""The exchange in a box: matching, margin ledger, funding, feeds, and servers that speak the real protocols; no sockets."""
