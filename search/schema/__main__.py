"""`python -m search.schema`: write the generated schema that editors and `python -m spaces` read."""

from search.schema.build import schema_text
from spaces.catalogue.entries import SCHEMA_FILE

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
