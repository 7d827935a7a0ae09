"""Sheets to print: what is on them and where, as SVG and as PDF. Pure but for the typefaces."""
