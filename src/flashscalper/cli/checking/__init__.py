"""`flashscalper check` and its probes: can this machine, this key and this exchange trade together?"""
