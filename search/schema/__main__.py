"""`python -m search.schema`: write the generated schema that editors and `python -m spaces` read."""

from search.schema.build import text
from spaces.catalogue.entries import SCHEMA

if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
