"""Bulk imports: a row each, carried out slice by slice, that may stop and go on at any moment."""
