#!/usr/bin/env python3
# tools/changelog.py - folds the fragments of changes/ into CHANGELOG.md as one version
"""Usage: tools/changelog.py VERSION DATE [ROOT]. Also sets the version in CMakeLists.txt."""

import re
import sys
from pathlib import Path

KINDS = ('added', 'changed', 'fixed', 'security')
UNRELEASED = '## Unreleased\n'


def read_fragments(folder):
    """Kind -> texts without the kind's word, in order of file name."""
    texts = {}
    for path in sorted(folder.glob('*.md')):
        if path.name == 'README.md':
            continue
        kind, _, text = path.read_text(encoding='utf-8').strip().partition(' ')
        kind = kind.rstrip(':').lower()
        if kind not in KINDS or not text.strip():
            raise ValueError(f'changes/{path.name}: start with one of: {", ".join(KINDS)}')
        texts.setdefault(kind, []).append(text.strip())
    return texts


def render(version, date, texts):
    parts = [f'## {version} - {date}\n']
    for kind in KINDS:
        if kind in texts:
            items = [text[0].upper() + text[1:].replace('\n', '\n  ') for text in texts[kind]]
            parts.append(f'### {kind.capitalize()}\n\n- ' + '\n- '.join(items) + '\n')
    return '\n'.join(parts)


def fold(root, version, date):
    if not re.fullmatch(r'\d+\.\d+\.\d+', version):
        raise ValueError(f'"{version}" is not a version like 1.2.3')
    changelog, cmake = root / 'CHANGELOG.md', root / 'CMakeLists.txt'
    history, build = changelog.read_text(encoding='utf-8'), cmake.read_text(encoding='utf-8')
    texts = read_fragments(root / 'changes')
    if not texts:
        raise ValueError('changes/ holds no fragment: nothing to release')
    if f'## {version} ' in history:
        raise ValueError(f'CHANGELOG.md has {version} already')
    build, changed = re.subn(r'(?<=^project\(firstcome VERSION )[\d.]+', version, build, flags=re.M)
    if history.count(UNRELEASED) != 1 or changed != 1:
        raise ValueError('CHANGELOG.md has no "## Unreleased", or CMakeLists.txt no version')
    section = UNRELEASED + '\n' + render(version, date, texts)
    changelog.write_text(history.replace(UNRELEASED, section), encoding='utf-8')
    cmake.write_text(build, encoding='utf-8')
    for path in (root / 'changes').glob('*.md'):
        if path.name != 'README.md':
            path.unlink()


def main(arguments):
    version, date = arguments[:2]
    try:
        fold(Path(arguments[2] if len(arguments) > 2 else '.'), version, date)
    except ValueError as error:
        print(f'release: {error}', file=sys.stderr)
        return 1
    print(f'release: CHANGELOG.md now has {version}. Read it, then:\n'
          f'  git commit --all --message "Release {version}" && git tag v{version}')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
