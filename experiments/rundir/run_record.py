"""What run.json holds: the record of a run, read with every field's type.

run.json is one JSON object. It is there before step 1, with all but `seconds`
and `metrics`, and is always replaced as a whole. A trial of a sweep that failed
before its data were open lacks `dataset` to `vocabulary`.

  status        'running', 'finished', 'failed', 'interrupted', 'diverged' or
                'pruned' (a search gave it up); a process that was killed leaves
                'running'
  overrides     object: what --gin_bindings bound, as gin writes it
  seed          int: SEED
  steps         int: training steps done; if diverged, the step that was not
                finite
  evaluated_step    int: that of the checkpoint that `metrics` are of: the best
                one if a best is kept, else the last
  start         when the run first started, UTC, ISO 8601
  end           when its last process ended; null before
  seconds       float: time spent from the opened data to the end, summed over
                the processes of the run
  error         null, or the type and message of what ended the run
  dataset       'name:version' or 'name/config:version', as TFDS writes it
  splits        object: the slices of 'train' and 'test', maybe 'validation';
                with FOLD, 'test' is a part of train: 'train[fold_0_of_5]'
  n_examples    object: the size of each, too long examples included
  labels        list: names of the classes, in the order of the model's outputs
  data          SHA-256 of the rows that are read, and of how
  vocabulary    SHA-256 of the vocabulary's file
  embedding     null without EMBEDDING_FILE; else its path (file), how many
                numbers a vector has (size), and its coverage of train: how many
                different words there are (n_types) and have a vector
                (n_types_found), the same of all words (n_words, n_words_found),
                and frequent words without one (missing); null for pieces
  n_threads     int: what JAX divides sums among, the same for all processes of
                the run; see `backend.threads`
  n_weights     int: how many numbers the model has learned
  metrics       object: the exact evaluation, of the test split
    n_examples    int: how many examples it is of
    n_dropped     int: how many were left out for their length
    accuracy, cross_entropy (mean, in nats), macro_f1    float
    expected_calibration_error    float: `calibration.Calibration.error`
    label_names   list: the classes of the lists below
    precision, recall, f1, support    lists, one value a class
    confusion     list of rows: [expected][predicted], counts
    balanced_accuracy, matthews_correlation, auroc, average_precision,
    brier_score   float; not in runs of earlier versions
    class_auroc, class_average_precision    lists, one value a class, null where
                  the class has no examples
    rank_counts   list: how often the expected class is the most probable, the
                  second, and so on
  validation_metrics    object: the same of the validation split, where there is
                one of three; not in runs of earlier versions
  answers       object, of the test split
    calibration   null without CALIBRATION; else the temperature, and what
                cross-entropy and calibration error are without it
    rejection   null without REJECT_BELOW; else the threshold, the share of
                examples answered (coverage), the share of wrong ones among
                these (risk), and the area under the curve of both
  host          name of the machine
  python        version
  versions      object: version by package
  git_commit    of this code; null outside a checkout
  git_dirty     bool: whether the checkout had changes; null outside one
"""

from collections.abc import Mapping
from typing import Literal, TypedDict

RUNNING: Literal['running'] = 'running'
FINISHED: Literal['finished'] = 'finished'
FAILED: Literal['failed'] = 'failed'
INTERRUPTED: Literal['interrupted'] = 'interrupted'
DIVERGED: Literal['diverged'] = 'diverged'
PRUNED: Literal['pruned'] = 'pruned'
Status = Literal[
  'running', 'finished', 'failed', 'interrupted', 'diverged', 'pruned'
]


class Metrics(TypedDict, total=False):
  """The exact evaluation; a number that JSON cannot say is null."""

  n_examples: int
  n_dropped: int
  accuracy: float | None
  cross_entropy: float | None
  macro_f1: float | None
  expected_calibration_error: float | None
  label_names: list[str]
  precision: list[float | None]
  recall: list[float | None]
  f1: list[float | None]
  support: list[int]
  confusion: list[list[int]]
  balanced_accuracy: float | None
  matthews_correlation: float | None
  auroc: float | None
  average_precision: float | None
  brier_score: float | None
  class_auroc: list[float | None]
  class_average_precision: list[float | None]
  rank_counts: list[int]


class Calibrated(TypedDict):
  """What the evaluated split would have come to at temperature 1."""

  temperature: float
  cross_entropy_before: float
  expected_calibration_error_before: float


class Rejected(TypedDict):
  """What REJECT_BELOW comes to."""

  threshold: float
  coverage: float
  risk: float | None
  area: float


class Answers(TypedDict):
  """What calibration and rejection come to; None without them."""

  calibration: Calibrated | None
  rejection: Rejected | None


class CoverageRecord(TypedDict):
  """How much of the train split has a word vector."""

  n_types: int
  n_types_found: int
  n_words: int
  n_words_found: int
  missing: list[str]


class EmbeddingRecord(TypedDict):
  """The word vectors that the embedding started from."""

  file: str
  size: int
  coverage: CoverageRecord | None


class RunRecord(TypedDict, total=False):
  """The fields; a run has those that are known so far."""

  status: Status
  overrides: Mapping[str, str]
  seed: int | None
  steps: int
  evaluated_step: int
  start: str
  end: str | None
  seconds: float | None
  error: str | None
  dataset: str
  splits: Mapping[str, str]
  n_examples: Mapping[str, int]
  labels: list[str]
  data: str
  vocabulary: str
  embedding: EmbeddingRecord | None
  n_threads: int
  n_weights: int
  metrics: Metrics
  validation_metrics: Metrics
  answers: Answers
  host: str
  python: str
  versions: Mapping[str, str]
  git_commit: str | None
  git_dirty: bool | None
