"""Checksums of event files, against the standard and against TensorBoard."""

import hypothesis
import pytest
from hypothesis import strategies as st

from experiments import crc32c


# RFC 3720, appendix B.4, and the check value of the CRC catalogue.
@pytest.mark.parametrize(
  ('data', 'expected'),
  [
    (b'', 0),
    (b'123456789', 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b'\xff' * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
  ],
)
def test_checksums_of_the_standard(data, expected):
  assert crc32c.crc32c(data) == expected


@hypothesis.given(
  st.binary(max_size=40),
  st.integers(0, 3000) | st.sampled_from([1020, 1021, 1023, 1024, 1025, 2048]),
)
def test_records_are_checked_as_tensorboard_does(data, n_more):
  from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

  data += bytes(i * i % 251 for i in range(n_more))
  assert crc32c.masked(data) == pywrap_tensorflow.masked_crc32c(data)
