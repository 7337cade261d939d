"""The recall meter: searches that people made, replayed exactly, and how much of it was found."""
