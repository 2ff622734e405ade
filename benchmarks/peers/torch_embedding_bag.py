"""The post's classifier in PyTorch: EmbeddingBag, Linear, Adam.

Usage, in an environment with torch and NumPy:
  python torch_embedding_bag.py DIR [--steps=N] [--find=ACCURACY]

DIR is what benchmarks.peers.export wrote. With --find it trains until the exact
test accuracy, asked for every --every steps, is reached. It prints one JSON
line. Batches are cut from the flat array of ids, without a DataLoader, which
would take longer.
"""

import argparse
import json
import pathlib
import time

START = time.perf_counter()


def main() -> None:
  """Trains, evaluates, prints what it took."""
  parser = argparse.ArgumentParser()
  parser.add_argument('directory', type=pathlib.Path)
  parser.add_argument('--steps', type=int, default=2000)
  parser.add_argument('--find', type=float)
  parser.add_argument('--every', type=int, default=20)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--sparse', action='store_true')
  parser.add_argument('--batch_size', type=int, default=128)
  parser.add_argument('--vocab_size', type=int, default=8192)
  parser.add_argument('--d_feature', type=int, default=50)
  parser.add_argument('--learning_rate', type=float, default=0.01)
  parser.add_argument(
    '--init', type=float, help="embeddings from -x to x, not PyTorch's normal"
  )
  args = parser.parse_args()

  import numpy as np
  import torch

  imported = time.perf_counter()
  torch.manual_seed(args.seed)
  rng = np.random.default_rng(args.seed)

  def load(split):
    arrays = np.load(args.directory / f'{split}.npz')
    return (
      arrays['ids'].astype(np.int64),
      arrays['offsets'],
      torch.from_numpy(arrays['labels'].astype(np.int64)),
    )

  def batch(data, indices):
    ids, offsets, labels = data
    starts = offsets[indices]
    lengths = offsets[indices + 1] - starts
    begins = np.zeros(len(indices), np.int64)
    np.cumsum(lengths[:-1], out=begins[1:])
    flat = np.arange(lengths.sum()) + np.repeat(starts - begins, lengths)
    return (
      torch.from_numpy(ids[flat]),
      torch.from_numpy(begins),
      labels[torch.from_numpy(indices)],
    )

  train, test = load('train'), load('test')
  n, n_classes = len(train[2]), int(train[2].max()) + 1
  bag = torch.nn.EmbeddingBag(
    args.vocab_size, args.d_feature, mode='mean', sparse=args.sparse
  )
  if args.init:
    torch.nn.init.uniform_(bag.weight, -args.init, args.init)
  linear = torch.nn.Linear(args.d_feature, n_classes)
  if args.sparse:
    optimizers = [
      torch.optim.SparseAdam(bag.parameters(), lr=args.learning_rate),
      torch.optim.Adam(linear.parameters(), lr=args.learning_rate),
    ]
  else:
    parameters = [*bag.parameters(), *linear.parameters()]
    optimizers = [torch.optim.Adam(parameters, lr=args.learning_rate)]
  loss_function = torch.nn.CrossEntropyLoss()

  def accuracy():
    with torch.no_grad():
      ids, offsets, labels = batch(test, np.arange(len(test[2])))
      predicted = linear(bag(ids, offsets)).argmax(dim=1)
      return float((predicted == labels).double().mean())

  def order():
    while True:
      yield from rng.permutation(n)

  examples = order()
  found = None
  start = time.perf_counter()
  for step in range(1, args.steps + 1):
    indices = np.fromiter(examples, np.int64, args.batch_size)
    ids, offsets, labels = batch(train, indices)
    for optimizer in optimizers:
      optimizer.zero_grad()
    loss_function(linear(bag(ids, offsets)), labels).backward()
    for optimizer in optimizers:
      optimizer.step()
    if args.find and step % args.every == 0 and accuracy() >= args.find:
      found = step
      break
  seconds = time.perf_counter() - start
  print(
    json.dumps(
      {
        'import_seconds': imported - START,
        'train_seconds': seconds,
        'steps_per_second': step / seconds,
        'found': found,
        'test_accuracy': accuracy(),
      }
    )
  )


if __name__ == '__main__':
  main()
