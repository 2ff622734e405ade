"""The plain trax script as a Hydra sweep: what a user of Hydra writes.

python benchmarks/peers/hydra_sweep.py -m hydra/launcher=joblib \
    hydra.launcher.n_jobs=2 learning_rate=0.003,0.01 seed=0,1
"""

import os
import subprocess

import hydra


@hydra.main(version_base=None, config_path=None)
def main(config):
  """Runs one trial, in the directory that Hydra has made for it."""
  flags = [f'--{name}={value}' for name, value in config.items()]
  with open('result.json', 'wb') as result:
    subprocess.run(
      [os.environ['PLAIN_PYTHON'], os.environ['PLAIN_SCRIPT'], *flags],
      stdout=result,
      check=True,
    )


if __name__ == '__main__':
  main()
