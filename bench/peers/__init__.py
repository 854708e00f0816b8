"""The contenders: each does the same jobs on the same table, written as its own documentation would."""
