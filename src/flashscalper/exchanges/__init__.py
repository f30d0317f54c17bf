"""Each exchange's language as a client speaks it: no sockets here, those are in `runtime`."""
