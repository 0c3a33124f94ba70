"""A hook of MkDocs: the site's files are those of the repository, in the same folders, so that links work in both."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PATTERNS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", ".env"),
    *("docs/*.md", "docs/*.css", "configs/**/*.yaml", "checkpoints/mini/README.md", "examples/*.ipynb"),
)
"""The repository's files that the site holds: its pages, and files to which they link."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces the files of MkDocs' only folder of pages, and keeps those of the theme."""
    root = Path(config.config_file_path).parent
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for pattern in PATTERNS:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            files.append(File(name, str(root), config.site_dir, config.use_directory_urls))
    return files
