"""The store: a view of the journals in a database, for whoever wants to ask with SQL.

`tables` says what there is, `view` folds one journal into rows, `reading` reads a journal that is still being written,
`sqlite` and `postgres` keep the rows, `follower` does it beside a running bot, `rebuild` from the files alone. The journal
is the truth: nothing here is ever read back by the engine.
"""
