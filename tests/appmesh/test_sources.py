"""Files and folders as a source."""

from pathlib import Path

import pytest
import yaml

from mesh.appmesh.admission import admit
from mesh.appmesh.sources import Files, SourceError
from tests.appmesh.shop import SHOP


def test_files_are_read_by_name_with_their_documents_numbered(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all(SHOP[2:]))
    listed = {"apiVersion": "v1", "kind": "List", "items": SHOP[:2]}
    (tmp_path / "a.yml").write_text("---\n" + yaml.safe_dump(listed))
    (tmp_path / "notes.txt").write_text("not read")

    found = Files(tmp_path).read()

    assert [one.origin for one in found[:3]] == [
        "a.yml, document 1, item 0",
        "a.yml, document 1, item 1",
        "b.yaml, document 1",
    ]
    assert admit(found).refusals == ()


@pytest.mark.parametrize("text", ["a: [", "- 1", "just words"])
def test_a_file_that_holds_no_objects_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)

    with pytest.raises(SourceError, match=r"bad\.yaml"):
        Files(tmp_path).read()
