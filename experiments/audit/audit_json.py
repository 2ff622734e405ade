"""An audit as JSON, for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.audit.audit import Audit
from experiments.audit.findings import Finding, Item
from experiments.foundation import json_text


def render(
  audit: Audit, findings: Sequence[Finding], places: Mapping[int, str]
) -> str:
  """Returns all that was found, without the texts.

  Args:
    audit: what was found.
    findings: the same in words.
    places: 'file:line' of rows, where known.
  """
  rows = audit.rows
  content = {
    'dataset': audit.dataset,
    'splits': dict(
      zip(rows.split_names, np.diff(rows.starts).tolist(), strict=True)
    ),
    'leaks': bool(audit.leaks),
    'lengths': audit.lengths._asdict(),
    'classes': [
      {
        'name': name,
        'rows': dict(
          zip(rows.split_names, audit.counts[:, i].tolist(), strict=True)
        ),
        'lengths': audit.lengths_by_class[i]._asdict(),
      }
      for i, name in enumerate(rows.label_names)
    ],
    'findings': [
      {
        'finding': each.key,
        'section': each.section,
        'title': each.title,
        **each.facts,
        'items': [_item(audit, item, places) for item in each.items],
      }
      for each in findings
    ],
  }
  return json_text.to_json(content, indent=2) + '\n'


def _item(
  audit: Audit, item: Item, places: Mapping[int, str]
) -> dict[str, Any]:
  rows = audit.rows
  named = []
  for row in item.rows:
    named.append(
      {
        'split': rows.split_names[rows.splits[row]],
        'row': rows.number(row),
        'label': rows.label(row),
      }
    )
    if row in places:
      named[-1]['place'] = places[row]
  return {'rows': named, **item.facts}
