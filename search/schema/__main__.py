"""`python -m search.schema`: write spaces/catalogue/schema.json.

Editors and `python -m spaces` read it.
"""

from search.schema.build import schema_text
from spaces.catalogue.entries import SCHEMA_FILE

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
