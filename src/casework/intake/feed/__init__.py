"""The core-banking feed: from a folder of files to what changed since the last one.

Reading (no database): `manifest` checks the folder's statement, `sheet` turns bytes into rows of text,
`headers` finds the columns, `row` and `cell` make typed rows, `folder` does all of it in order and hands over
a `Delivery`. Deciding (pure): `reconcile` compares the overdue snapshot with the one before.
"""
