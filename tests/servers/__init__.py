"""Servers of other people that tests start: real ones where there are any."""
